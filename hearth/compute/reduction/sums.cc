#include "hearth/compute/reduction/sums.h"

#include <cmath>
#include <cstring>

#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/converting_reducer.h"

namespace hearth {
namespace {

template <class T>
T At(const std::byte* component, std::int64_t index) {
  T value;
  std::memcpy(&value, component + index * static_cast<std::int64_t>(sizeof(T)),
              sizeof(T));
  return value;
}

// Numbers of one real type to sums of a type of the same kind. `pads`: a real
// sum that is a complex result, its imaginary part 0.
class SumReducer final : public KernelReducer {
 public:
  SumReducer(ElementType number, ElementType result, bool pads)
      : KernelReducer(kernels::Family::kSum, number),
        number_(number),
        result_(result),
        pads_(pads) {}

  ElementType result_type() const override { return result_; }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    const Accumulators& from = input.from;
    const ElementType stored = RealTypeOf(result_);
    const std::int64_t bytes = BytesOf(stored);
    for (std::int64_t i = 0; i < input.count; ++i) {
      if (input.reduced_count == 0) {
        StoreWrapped(stored, 0, out);  // -0.0 was the start, not the result
      } else if (number_ == ElementType::kFloat64) {
        StoreReal(stored, ReadExtendedSum(from, i).Rounded(), out);
      } else if (IsFloat(number_)) {
        StoreReal(stored, At<double>(from[0], i), out);
      } else {
        StoreWrapped(stored, At<std::uint64_t>(from[0], i), out);
      }
      out += bytes;
      if (pads_) {
        StoreReal(stored, 0.0, out);
        out += bytes;
      }
    }
    return absl::OkStatus();
  }

 private:
  ElementType number_;
  ElementType result_;
  bool pads_;
};

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

ExtendedSumValue ReadExtendedSum(const Accumulators& from, std::int64_t index) {
  return {At<double>(from[0], index), At<double>(from[1], index),
          At<double>(from[2], index)};
}

double ExtendedSumValue::Rounded() const {
  // low is NaN after an infinity, and adding a zero could lose high's -0.0.
  const double sum = std::isfinite(high) && low != 0 ? high + low : high;
  return std::ldexp(sum, static_cast<int>(exponent));
}

double ExtendedSumValue::DividedBy(double count) const {
  if (!std::isfinite(high)) return high / count;
  // What the first quotient misses is exact, so that the result is rounded
  // once.
  const double quotient = high / count;
  const double missed = std::fma(-quotient, count, high) + low;
  return std::ldexp(quotient + missed / count, static_cast<int>(exponent));
}

std::unique_ptr<const Reducer> MakeSum(ElementType type,
                                       std::optional<ElementType> dtype) {
  const ElementType number = RealTypeOf(type);
  if (!dtype.has_value()) {
    return std::make_unique<SumReducer>(number, SumTypeOf(type), false);
  }
  const ElementType converted = RealTypeOf(*dtype);
  auto sum = std::make_unique<SumReducer>(
      converted, *dtype, IsComplex(*dtype) && !IsComplex(type));
  if (converted == number) return sum;
  return std::make_unique<ConvertingReducer>(number, converted, std::move(sum));
}

}  // namespace hearth
