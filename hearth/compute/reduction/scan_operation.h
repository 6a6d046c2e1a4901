#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hearth/compute/operation.h"
#include "hearth/compute/parameters.h"

namespace hearth {

// An operation whose parameters have values that can be checked by their type
// alone (parameters.h). What remains is Prepare.
class ScanOperation : public Operation {
 public:
  explicit ScanOperation(OperationInfo info) : info_(std::move(info)) {}

  const OperationInfo& info() const override { return info_; }
  absl::Status CheckUsage(
      const std::map<std::string, std::string>& text) const override {
    return CheckParameters(info_, text);
  }

 private:
  OperationInfo info_;
};

// The parameters that nearly every reduction has.
ParameterSpec AxesParameter();      // axis=none: any number of axes
ParameterSpec OneAxisParameter();   // axis=none: at most one
ParameterSpec KeepdimsParameter();  // keepdims=false
ParameterSpec DtypeParameter();     // dtype=none

struct AxesAndKeepdims {
  std::vector<int> axes;  // ascending
  bool keepdims = false;
};
absl::StatusOr<AxesAndKeepdims> ReadAxes(const OperationInfo& info,
                                         const MatrixLayout& layout,
                                         const ParameterText& text);

// The dtype asked for. BAD_PARAMETER when complex elements would lose their
// imaginary parts.
absl::StatusOr<std::optional<ElementType>> ReadDtype(const OperationInfo& info,
                                                     const MatrixLayout& layout,
                                                     const ParameterText& text);

// BAD_PARAMETER when an axis that is reduced has no element, and nothing stands
// for it: "run min on shape (0, 3): min of an empty axis has no identity".
absl::Status CheckNotEmpty(const OperationInfo& info,
                           const MatrixLayout& layout,
                           const std::vector<int>& axes);

}  // namespace hearth
