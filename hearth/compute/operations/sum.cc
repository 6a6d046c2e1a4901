#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/compute/reduction/converting_reducer.h"
#include "hearth/compute/reduction/reduction_plan.h"
#include "hearth/compute/reduction/scan_operation.h"
#include "hearth/compute/reduction/sums.h"

namespace hearth {
namespace {

class Sum final : public ScanOperation {
 public:
  Sum()
      : ScanOperation(
            {"sum",
             {AxesParameter(), KeepdimsParameter(), DtypeParameter()},
             "The sum of the elements: int64 of bool and integers (uint64 of "
             "unsigned ones), else their own type; integers wrap."}) {}

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_ASSIGN_OR_RETURN(const AxesAndKeepdims asked,
                            ReadAxes(info(), layout, arguments.text));
    HEARTH_ASSIGN_OR_RETURN(
        const std::optional<ElementType> dtype,
        ParseDtype("dtype", TextOf(info(), arguments.text, "dtype")));
    const ElementType result = dtype.value_or(SumTypeOf(layout.type));
    if (IsComplex(layout.type) && !IsComplex(result)) {
      return Error(Reason::kBadParameter,
                   absl::StrCat("run sum: dtype ", NameOf(result),
                                " has no place for the imaginary parts of ",
                                NameOf(layout.type), "; give a complex dtype"));
    }
    return MakeReductionPlan({"sum", layout, asked.axes, asked.keepdims,
                              IsComplex(layout.type) ? 2 : 1},
                             MakeSum(layout.type, dtype));
  }
};

}  // namespace

const Operation& SumOperation();  // declared in registry.cc

const Operation& SumOperation() {
  static const Sum& operation = *new Sum;
  return operation;
}

}  // namespace hearth
