#include <memory>

#include "hearth/base/status.h"
#include "hearth/compute/reduction/reduction_plan.h"
#include "hearth/compute/reduction/scan_operation.h"
#include "hearth/compute/reduction/sums.h"

namespace hearth {
namespace {

class Sum final : public ScanOperation {
 public:
  Sum(absl::string_view name, Nans nans, absl::string_view doc)
      : ScanOperation({std::string(name),
                       {AxesParameter(), KeepdimsParameter(), DtypeParameter()},
                       std::string(doc)}),
        nans_(nans) {}

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_ASSIGN_OR_RETURN(const AxesAndKeepdims asked,
                            ReadAxes(info(), layout, arguments.text));
    HEARTH_ASSIGN_OR_RETURN(const std::optional<ElementType> dtype,
                            ReadDtype(info(), layout, arguments.text));
    return MakeReductionPlan({info().name, layout, asked.axes, asked.keepdims,
                              IsComplex(layout.type) ? 2 : 1},
                             MakeSum(layout.type, dtype, nans_));
  }

 private:
  Nans nans_;
};

}  // namespace

const Operation& SumOperation() {
  static const Sum& operation = *new Sum(
      "sum", Nans::kCount,
      "The sum of the elements: int64 of bool and integers (uint64 of unsigned "
      "ones), else their own type; integers wrap.");
  return operation;
}

const Operation& NansumOperation() {
  static const Sum& operation = *new Sum(
      "nansum", Nans::kSkip,
      "The sum of the elements that are not NaN, 0 where none is; the result "
      "type is sum's.");
  return operation;
}

}  // namespace hearth
