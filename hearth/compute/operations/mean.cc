#include <cmath>
#include <limits>
#include <memory>

#include "hearth/base/status.h"
#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/components.h"
#include "hearth/compute/reduction/reduction_plan.h"
#include "hearth/compute/reduction/scan_operation.h"
#include "hearth/compute/reduction/sums.h"
#include "hearth/compute/reduction/transforming_reducer.h"

namespace hearth {
namespace {

using kernels::Family;

double MeanOf(std::uint64_t low, std::int64_t high, std::int64_t count) {
  if (count == 0) return std::numeric_limits<double>::quiet_NaN();
  const auto sum64 = static_cast<std::int64_t>(low);
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (high == sum64 >> 63 && sum64 <= kExact && sum64 >= -kExact &&
      count <= kExact) {
    return static_cast<double>(sum64) / static_cast<double>(count);
  }
  __extension__ using Int128 = __int128;
  const Int128 sum = (static_cast<Int128>(high) << 64) | low;
  return static_cast<double>(static_cast<long double>(sum / count) +
                             static_cast<long double>(sum % count) /
                                 static_cast<long double>(count));
}

// Integers: the exact sum of 128 bits, divided and rounded once.
class IntegerMean final : public KernelReducer {
 public:
  explicit IntegerMean(ElementType type)
      : KernelReducer({Family::kExactSum}, type) {}

  ElementType result_type() const override { return ElementType::kFloat64; }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    StoreRun(ElementType::kFloat64, input.count, out, [&](std::int64_t i) {
      return MeanOf(ComponentAt<std::uint64_t>(input.from[0], i),
                    ComponentAt<std::int64_t>(input.from[1], i),
                    input.reduced_count);
    });
    return absl::OkStatus();
  }
};

class FloatMean final : public KernelReducer {
 public:
  FloatMean(ElementType number, ElementType result, Nans nans)
      : KernelReducer(
            nans == Nans::kSkip
                ? std::initializer_list<Family>{Family::kSumOfNumbers,
                                                Family::kCountOfNumbers}
                : std::initializer_list<Family>{Family::kSum},
            number),
        number_(number),
        result_(result),
        nans_(nans) {}

  ElementType result_type() const override { return result_; }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    const ElementType stored = RealTypeOf(result_);
    StoreRun(stored, input.count, out, [&](std::int64_t i) {
      auto count = static_cast<double>(input.reduced_count);
      if (nans_ == Nans::kSkip) {
        const std::byte* counts =
            input.from[static_cast<std::size_t>(components() - 1)];
        count = static_cast<double>(ComponentAt<std::uint64_t>(counts, i));
      }
      return number_ == ElementType::kFloat64
                 ? ReadExtendedSum(input.from, i).DividedBy(count)
                 : ComponentAt<double>(input.from[0], i) / count;
    });
    if (IsComplex(result_)) SpreadNonfinite(input.count, out);
    return absl::OkStatus();
  }

 private:
  // NumPy divides by a complex count: of an infinite or NaN part, times the
  // count's imaginary 0, the other part becomes NaN.
  void SpreadNonfinite(std::int64_t count, std::byte* out) const {
    const ElementType part = RealTypeOf(result_);
    const std::int64_t bytes = BytesOf(part);
    for (std::int64_t i = 0; i + 1 < count; i += 2) {
      std::byte* real = out + i * bytes;
      std::byte* imaginary = real + bytes;
      const double r = LoadNumber<double>(part, real);
      const double j = LoadNumber<double>(part, imaginary);
      StoreReal(part, r + j * 0, real);
      StoreReal(part, j - r * 0, imaginary);
    }
  }

  ElementType number_;
  ElementType result_;
  Nans nans_;
};

class Mean final : public ScanOperation {
 public:
  Mean(absl::string_view name, Nans nans, absl::string_view doc)
      : ScanOperation({std::string(name),
                       {AxesParameter(), KeepdimsParameter()},
                       std::string(doc)}),
        nans_(nans) {}

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_ASSIGN_OR_RETURN(const AxesAndKeepdims asked,
                            ReadAxes(info(), layout, arguments.text));
    const ElementType number = RealTypeOf(layout.type);
    std::unique_ptr<const Reducer> reducer;
    if (IsFloat(number)) {
      reducer =
          std::make_unique<FloatMean>(number, SumTypeOf(layout.type), nans_);
    } else {
      reducer = std::make_unique<IntegerMean>(number);
    }
    const bool complex = IsComplex(layout.type);
    if (complex && nans_ == Nans::kSkip)
      reducer = SpreadNanFirst(number, std::move(reducer));
    return MakeReductionPlan(
        {info().name, layout, asked.axes, asked.keepdims, complex ? 2 : 1},
        std::move(reducer));
  }

 private:
  Nans nans_;
};

}  // namespace

const Operation& MeanOperation() {
  static const Mean& operation =
      *new Mean("mean", Nans::kCount,
                "The arithmetic mean: float64 of bool and integers, else their "
                "own type.");
  return operation;
}

const Operation& NanmeanOperation() {
  static const Mean& operation = *new Mean(
      "nanmean", Nans::kSkip,
      "The mean of the elements that are not NaN, NaN where none is; the "
      "result type is mean's.");
  return operation;
}

}  // namespace hearth
