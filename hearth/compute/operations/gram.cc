// gram: the products of every two columns of a matrix.
#include <complex>
#include <memory>
#include <utility>
#include <vector>

#include "hearth/base/status.h"
#include "hearth/compute/dense/gram_sum.h"
#include "hearth/compute/elements.h"
#include "hearth/compute/operation.h"
#include "hearth/compute/operations/dense.h"
#include "hearth/compute/parameters.h"

namespace hearth {
namespace {

class GramPlan : public Plan {
 public:
  explicit GramPlan(const MatrixLayout& layout)
      : sum_(layout), result_(ResultTypeOf(layout.type)) {}

  static ElementType ResultTypeOf(ElementType type) {
    if (IsComplex(type) || type == ElementType::kFloat16) return type;
    if (type == ElementType::kFloat32 || type == ElementType::kBfloat16) {
      return ElementType::kFloat32;
    }
    return ElementType::kFloat64;
  }

  int leaf_blocks_log2() const override {
    return sum_.panels().leaf_blocks_log2();
  }
  std::int64_t partial_bytes_max() const override {
    return sum_.partial_bytes();
  }
  std::int64_t scratch_bytes_max() const override {
    return sum_.scratch_bytes();
  }
  bool uses_blas() const override { return true; }
  bool needs_whole_matrix() const override {
    return sum_.panels().needs_whole_matrix();
  }

  std::vector<ResultArray> DeclareResults() const override {
    return {{.name = "",
             .type = result_,
             .shape = {sum_.columns(), sum_.columns()}}};
  }

  Bytes Begin(std::span<const std::byte>) const override {
    return Bytes(static_cast<std::size_t>(sum_.partial_bytes()));
  }

  absl::Status Accumulate(const BlockView& view, std::span<const std::byte>,
                          Scratch& scratch, Bytes& partial) const override {
    return sum_.Accumulate(view, scratch, partial);
  }

  absl::Status Combine(Bytes& left,
                       std::span<const std::byte> right) const override {
    return sum_.Combine(left, right);
  }

  absl::StatusOr<FinishOutcome> Finish(Bytes partial,
                                       std::span<const std::byte>,
                                       int) const override {
    HEARTH_RETURN_IF_ERROR(sum_.Finish(partial));
    const std::int64_t count = sum_.columns() * sum_.columns();
    if (sum_.is_complex()) {
      WriteElements(
          result_,
          reinterpret_cast<const std::complex<double>*>(partial.data()), count,
          partial.data());
    } else {
      WriteElements(result_, reinterpret_cast<const double*>(partial.data()),
                    count, partial.data());
    }
    partial.resize(static_cast<std::size_t>(count * BytesOf(result_)));
    FinishOutcome outcome;
    outcome.results = DeclareResults();
    outcome.results[0].bytes = std::move(partial);
    return outcome;
  }

 private:
  const GramSum sum_;
  const ElementType result_;
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
