#include <memory>

#include "hearth/base/status.h"
#include "hearth/compute/reduction/extremes.h"
#include "hearth/compute/reduction/reduction_plan.h"
#include "hearth/compute/reduction/scan_operation.h"

namespace hearth {
namespace {

class Min final : public ScanOperation {
 public:
  Min(absl::string_view name, ExtremeKind kind, absl::string_view doc)
      : ScanOperation({std::string(name),
                       {AxesParameter(), KeepdimsParameter()},
                       std::string(doc)}),
        kind_(kind) {}

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_ASSIGN_OR_RETURN(const AxesAndKeepdims asked,
                            ReadAxes(info(), layout, arguments.text));
    HEARTH_RETURN_IF_ERROR(CheckNotEmpty(info(), layout, asked.axes));
    return MakeReductionPlan({info().name, layout, asked.axes, asked.keepdims},
                             IsComplex(layout.type)
                                 ? MakeComplexExtreme(layout.type, kind_)
                                 : MakeExtreme(layout.type, kind_));
  }

 private:
  ExtremeKind kind_;
};

}  // namespace

const Operation& MinOperation() {
  static const Min& operation =
      *new Min("min", {Extremum::kLeast, Nans::kCount},
               "The least element, NaN where one is; complex numbers are "
               "ordered by their real, then their imaginary parts.");
  return operation;
}

const Operation& MaxOperation() {
  static const Min& operation =
      *new Min("max", {Extremum::kGreatest, Nans::kCount},
               "The greatest element, NaN where one is; complex numbers are "
               "ordered by their real, then their imaginary parts.");
  return operation;
}

const Operation& NanminOperation() {
  static const Min& operation =
      *new Min("nanmin", {Extremum::kLeast, Nans::kSkip},
               "The least element that is not NaN, NaN where none is.");
  return operation;
}

const Operation& NanmaxOperation() {
  static const Min& operation =
      *new Min("nanmax", {Extremum::kGreatest, Nans::kSkip},
               "The greatest element that is not NaN, NaN where none is.");
  return operation;
}

}  // namespace hearth
