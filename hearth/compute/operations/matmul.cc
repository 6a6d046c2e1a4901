// matmul: a matrix times a matrix, or a vector.
#include <memory>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/compute/dense/operand.h"
#include "hearth/compute/dense/product_plans.h"
#include "hearth/compute/elements.h"
#include "hearth/compute/operations/dense.h"
#include "hearth/compute/parameters.h"
#include "hearth/matrix/partition.h"

namespace hearth {
namespace {

class Matmul : public Operation {
 public:
  const OperationInfo& info() const override {
    static const OperationInfo info{
        "matmul",
        {{"b", "matrix", "",
          "a matrix with as many rows as the matrix has columns; or a vector "
          "of that length, as for matvec"}},
        "X @ b, [rows, columns of b]; NumPy's type rules, floats added up in "
        "float64."};
    return info;
  }

  absl::Status CheckUsage(
      const std::map<std::string, std::string>& text) const override {
    return CheckParameters(info(), text);
  }

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_RETURN_IF_ERROR(RequireTwoAxes(info().name, layout));
    const std::int64_t columns = layout.shape[1];
    const auto b = arguments.matrices.find("b");
    if (b != arguments.matrices.end() && b->second.layout.axis_count() == 1) {
      HEARTH_ASSIGN_OR_RETURN(
          const VectorOperand v,
          VectorOperand::Find(info().name, "b", arguments, columns, "columns"));
      const ElementType result = ResultType(layout.type, v.type());
      return layout.order == Order::kC ? MakeRowDotsPlan(layout, v, result)
                                       : MakeColumnSumsPlan(layout, v, result);
    }
    HEARTH_ASSIGN_OR_RETURN(
        const MatrixOperand right,
        MatrixOperand::Find(info().name, "b", arguments, columns, "columns"));
    const ElementType result = ResultType(layout.type, right.type());
    const Shape shape{layout.shape[0], right.columns()};
    if (!FaultOf(shape, result).empty()) {
      return Error(
          Reason::kTooLarge,
          absl::StrCat("run matmul: its result ", FaultOf(shape, result),
                       "; take fewer rows, or fewer columns of b"));
    }
    std::unique_ptr<Plan> plan = MakeMatrixProductPlan(layout, right, result);
    const std::int64_t bytes = plan->SliceOf(Partition(layout).Block(0)).bytes;
    if (bytes > limits::kPartialBytesMax) {
      return Error(
          Reason::kTooLarge,
          absl::StrCat("run matmul: with ", right.columns(),
                       " columns of b, the rows of one row block become ",
                       bytes / limits::kMiB,
                       " MiB, and a part of a result may ", "have ",
                       limits::kPartialBytesMax / limits::kMiB,
                       "; take fewer columns of b at a time"));
    }
    return plan;
  }
};

}  // namespace

const Operation& MatmulOperation() {
  static const Matmul matmul;
  return matmul;
}

}  // namespace hearth
