#include <cmath>
#include <memory>

#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/compute/reduction/norms.h"
#include "hearth/compute/reduction/reduction_plan.h"
#include "hearth/compute/reduction/scan_operation.h"

namespace hearth {
namespace {

class Norm final : public ScanOperation {
 public:
  Norm()
      : ScanOperation(
            {"norm",
             {{"ord", "float", "2",
               "the order: 2, 1, inf, -inf, 0 (counts what is not 0) or any "
               "number"},
              AxesParameter(),
              KeepdimsParameter()},
             "The vector norm of the elements, flattened; float64 of bool and "
             "integers, real of complex, else their own type."}) {}

  absl::Status CheckUsage(
      const std::map<std::string, std::string>& text) const override {
    HEARTH_RETURN_IF_ERROR(ScanOperation::CheckUsage(text));
    HEARTH_ASSIGN_OR_RETURN(const double order,
                            ParseNumber("ord", TextOf(info(), text, "ord")));
    if (std::isnan(order)) {
      return Error(Reason::kBadUsage,
                   "run norm: ord is nan; give 2, 1, inf, -inf, 0 or a number");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_ASSIGN_OR_RETURN(const AxesAndKeepdims asked,
                            ReadAxes(info(), layout, arguments.text));
    HEARTH_ASSIGN_OR_RETURN(
        const double order,
        ParseNumber("ord", TextOf(info(), arguments.text, "ord")));
    if (std::isinf(order) && order < 0)  // of nothing, the greatest is 0
      HEARTH_RETURN_IF_ERROR(CheckNotEmpty(info(), layout, asked.axes));
    return MakeReductionPlan({"norm", layout, asked.axes, asked.keepdims,
                              IsComplex(layout.type) && order == 2 ? 2 : 1},
                             MakeNorm(layout.type, order));
  }
};

}  // namespace

const Operation& NormOperation() {
  static const Norm& operation = *new Norm;
  return operation;
}

}  // namespace hearth
