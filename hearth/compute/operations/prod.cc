#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "hearth/base/status.h"
#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/complex_product.h"
#include "hearth/compute/reduction/components.h"
#include "hearth/compute/reduction/reduction_plan.h"
#include "hearth/compute/reduction/scan_operation.h"
#include "hearth/compute/reduction/sums.h"
#include "hearth/compute/reduction/transforming_reducer.h"

namespace hearth {
namespace {

using kernels::Family;

// `result` may be complex, its imaginary part 0.
class RealProduct final : public KernelReducer {
 public:
  RealProduct(ElementType number, ElementType result, Nans nans)
      : KernelReducer(
            {nans == Nans::kSkip && IsFloat(number) ? Family::kProductOfNumbers
                                                    : Family::kProduct},
            number),
        is_float_(IsFloat(number)),
        result_(result) {}

  ElementType result_type() const override { return result_; }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    const ElementType stored = RealTypeOf(result_);
    for (std::int64_t i = 0; i < input.count; ++i) {
      std::byte* to = out + i * BytesOf(result_);
      if (is_float_) {
        const auto exponent = std::clamp<std::int64_t>(
            ComponentAt<std::int64_t>(input.from[1], i), -10000, 10000);
        StoreReal(stored,
                  std::ldexp(ComponentAt<double>(input.from[0], i),
                             static_cast<int>(exponent)),
                  to);
      } else {
        StoreWrapped(stored, ComponentAt<std::uint64_t>(input.from[0], i), to);
      }
      if (IsComplex(result_)) {
        const bool is_nan =
            is_float_ && std::isnan(ComponentAt<double>(input.from[0], i));
        StoreReal(stored, is_nan ? NAN : 0.0, to + BytesOf(stored));
      }
    }
    return absl::OkStatus();
  }

 private:
  bool is_float_;
  ElementType result_;
};

class Prod final : public ScanOperation {
 public:
  Prod(absl::string_view name, Nans nans, absl::string_view doc)
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
    const ElementType result = dtype.value_or(SumTypeOf(layout.type));
    std::unique_ptr<const Reducer> reducer;
    if (IsComplex(layout.type)) {
      reducer = MakeComplexProduct(layout.type, result, nans_);
    } else {
      const ElementType number =
          dtype.has_value() ? RealTypeOf(*dtype) : layout.type;
      reducer =
          ConvertFirst(layout.type, number,
                       std::make_unique<RealProduct>(number, result, nans_));
      if (nans_ == Nans::kSkip && IsFloat(layout.type) && !IsFloat(number))
        reducer = ReplaceNanFirst(layout.type, 1, std::move(reducer));
    }
    return MakeReductionPlan({info().name, layout, asked.axes, asked.keepdims},
                             std::move(reducer));
  }

 private:
  Nans nans_;
};

}  // namespace

const Operation& ProdOperation() {
  static const Prod& operation = *new Prod(
      "prod", Nans::kCount,
      "The product of the elements, 1 where there is none: int64 of bool and "
      "integers (uint64 of unsigned ones), else their own type; integers "
      "wrap.");
  return operation;
}

const Operation& NanprodOperation() {
  static const Prod& operation = *new Prod(
      "nanprod", Nans::kSkip,
      "The product of the elements that are not NaN, 1 where none is; the "
      "result type is prod's.");
  return operation;
}

}  // namespace hearth
