// gram: the products of every two columns of a matrix.
#include <memory>
#include <utility>

#include "hearth/base/status.h"
#include "hearth/compute/dense/gram_sum.h"
#include "hearth/compute/dense/square_plan.h"
#include "hearth/compute/operation.h"
#include "hearth/compute/operations/dense.h"
#include "hearth/compute/parameters.h"

namespace hearth {
namespace {

class GramPlan : public SquarePlan<GramSum> {
 public:
  explicit GramPlan(const MatrixLayout& layout)
      : SquarePlan(layout, ResultTypeOf(layout.type)) {}

  static ElementType ResultTypeOf(ElementType type) {
    if (IsComplex(type) || type == ElementType::kFloat16) return type;
    if (type == ElementType::kFloat32 || type == ElementType::kBfloat16) {
      return ElementType::kFloat32;
    }
    return ElementType::kFloat64;
  }

 private:
  absl::Status FinishSquare(Bytes& partial) const override {
    return sum().Finish(partial);
  }
};

class Gram : public Operation {
 public:
  const OperationInfo& info() const override {
    static const OperationInfo info{
        "gram",
        {},
        "The products of every two columns: X.T @ X, and X.conj().T @ X of a "
        "complex X; own type for floats, else float64."};
    return info;
  }

  absl::Status CheckUsage(
      const std::map<std::string, std::string>& text) const override {
    return CheckParameters(info(), text);
  }

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments&) const override {
    HEARTH_RETURN_IF_ERROR(RequireTwoAxes(info().name, layout));
    HEARTH_RETURN_IF_ERROR(RequireSquareFits(info().name, layout));
    return std::make_unique<GramPlan>(layout);
  }
};

}  // namespace

const Operation& GramOperation() {
  static const Gram gram;
  return gram;
}

}  // namespace hearth
