// matvec and rmatvec: a matrix times a vector, from the right and from the
// left.
#include <memory>

#include "hearth/base/status.h"
#include "hearth/compute/dense/operand.h"
#include "hearth/compute/dense/product_plans.h"
#include "hearth/compute/elements.h"
#include "hearth/compute/operations/dense.h"
#include "hearth/compute/parameters.h"

namespace hearth {
namespace {

// Stored rows are the matrix's own in C order, its columns in Fortran order.
class MatrixVector : public Operation {
 public:
  MatrixVector(OperationInfo info, bool transposed)
      : info_(std::move(info)), transposed_(transposed) {}

  const OperationInfo& info() const override { return info_; }

  absl::Status CheckUsage(
      const std::map<std::string, std::string>& text) const override {
    return CheckParameters(info_, text);
  }

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_RETURN_IF_ERROR(RequireTwoAxes(info_.name, layout));
    HEARTH_ASSIGN_OR_RETURN(
        const VectorOperand v,
        VectorOperand::Find(info_.name, "v", arguments,
                            layout.shape[transposed_ ? 0 : 1],
                            transposed_ ? "rows" : "columns"));
    const ElementType result = ResultType(layout.type, v.type());
    const bool dots = transposed_ == (layout.order == Order::kFortran);
    return dots ? MakeRowDotsPlan(layout, v, result)
                : MakeColumnSumsPlan(layout, v, result);
  }

 private:
  const OperationInfo info_;
  const bool transposed_;
};

}  // namespace

const Operation& MatvecOperation() {
  static const MatrixVector matvec(
      {"matvec",
       {{"v", "matrix", "", "a vector as long as the matrix has columns"}},
       "X @ v, a number a row; NumPy's type rules, floats added up in "
       "float64."},
      /*transposed=*/false);
  return matvec;
}

const Operation& RmatvecOperation() {
  static const MatrixVector rmatvec(
      {"rmatvec",
       {{"v", "matrix", "", "a vector as long as the matrix has rows"}},
       "X.T @ v, a number a column; NumPy's type rules, floats added up in "
       "float64."},
      /*transposed=*/true);
  return rmatvec;
}

}  // namespace hearth
