#include "hearth/compute/reduction/sums.h"

#include <cmath>

#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/components.h"
#include "hearth/compute/reduction/transforming_reducer.h"

namespace hearth {
namespace {

// Numbers of one real type to sums of a type of the same kind. `pads`: a real
// sum that is a complex result, its imaginary part 0.
class SumReducer final : public KernelReducer {
 public:
  SumReducer(kernels::Family family, ElementType number, ElementType result,
             bool pads)
      : KernelReducer({family}, number),
        number_(number),
        result_(result),
        pads_(pads) {}

  ElementType result_type() const override { return result_; }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    const Accumulators& from = input.from;
    if (input.reduced_count == 0) {  // -0.0 was the start, not the result
      Store(input.count, out, [](std::int64_t) { return std::uint64_t{0}; });
    } else if (number_ == ElementType::kFloat64) {
      Store(input.count, out,
            [&](std::int64_t i) { return ReadExtendedSum(from, i).Rounded(); });
    } else if (IsFloat(number_)) {
      Store(input.count, out,
            [&](std::int64_t i) { return ComponentAt<double>(from[0], i); });
    } else {
      Store(input.count, out, [&](std::int64_t i) {
        return ComponentAt<std::uint64_t>(from[0], i);
      });
    }
    return absl::OkStatus();
  }

 private:
  template <class Value>
  void Store(std::int64_t count, std::byte* out, Value&& value) const {
    if (!pads_) return StoreRun(RealTypeOf(result_), count, out, value);
    using Wide = decltype(value(0));
    StoreRun(RealTypeOf(result_), 2 * count, out, [&](std::int64_t i) {
      return i % 2 == 0 ? value(i / 2) : Wide{0};
    });
  }

  ElementType number_;
  ElementType result_;
  bool pads_;
};

// An integer is never NaN.
kernels::Family SumFamilyOf(ElementType number, Nans nans) {
  return nans == Nans::kSkip && IsFloat(number) ? kernels::Family::kSumOfNumbers
                                                : kernels::Family::kSum;
}

}  // namespace

ElementType SumTypeOf(ElementType type) {
  switch (type) {
    case ElementType::kBool:
    case ElementType::kInt8:
    case ElementType::kInt16:
    case ElementType::kInt32:
    case ElementType::kInt64:
      return ElementType::kInt64;
    case ElementType::kUint8:
    case ElementType::kUint16:
    case ElementType::kUint32:
    case ElementType::kUint64:
      return ElementType::kUint64;
    case ElementType::kBfloat16:
      return ElementType::kFloat32;
    default:
      return type;
  }
}

ExtendedSumValue ReadExtendedSum(const Accumulators& from, std::int64_t index,
                                 int scale_bits) {
  return {ComponentAt<double>(from[0], index),
          ComponentAt<double>(from[1], index),
          ComponentAt<std::int8_t>(from[2], index) * scale_bits};
}

double ExtendedSumValue::Rounded() const {
  // low is NaN after an infinity, and adding a zero could lose high's -0.0.
  const double sum = std::isfinite(high) && low != 0 ? high + low : high;
  return exponent == 0 ? sum : std::ldexp(sum, exponent);
}

double ExtendedSumValue::DividedBy(double count) const {
  if (!std::isfinite(high)) return high / count;
  // What the first quotient misses is exact, so that the result is rounded
  // once.
  const double quotient = high / count;
  const double missed = std::fma(-quotient, count, high) + low;
  const double mean = quotient + missed / count;
  return exponent == 0 ? mean : std::ldexp(mean, exponent);
}

std::unique_ptr<const Reducer> MakeSum(ElementType type,
                                       std::optional<ElementType> dtype,
                                       Nans nans) {
  const ElementType number = RealTypeOf(type);
  const ElementType result = dtype.value_or(SumTypeOf(type));
  const ElementType summed = dtype.has_value() ? RealTypeOf(*dtype) : number;
  std::unique_ptr<const Reducer> sum =
      std::make_unique<SumReducer>(SumFamilyOf(summed, nans), summed, result,
                                   IsComplex(result) && !IsComplex(type));
  sum = ConvertFirst(number, summed, std::move(sum));
  if (nans == Nans::kSkip && IsFloat(number) && !IsFloat(summed))
    sum = ReplaceNanFirst(number, 0, std::move(sum));
  // A complex element is NaN as a whole.
  if (IsComplex(type) && nans == Nans::kSkip)
    sum = SpreadNanFirst(number, std::move(sum));
  return sum;
}

}  // namespace hearth
