#pragma once

#include <memory>
#include <optional>

#include "hearth/compute/reduction/reducer.h"

namespace hearth {

// What becomes of NaN: it is an element like any other, or it is left out.
enum class Nans { kCount, kSkip };

// NumPy 2's: int64, uint64, or the type itself; float32 for bfloat16.
ElementType SumTypeOf(ElementType type);

// (high + low) * 2^exponent, rounded once: accumulators of a float64 sum.
struct ExtendedSumValue {
  double high;
  double low;
  int exponent;

  double Rounded() const;
  double DividedBy(double count) const;
};
// `scale_bits`: 64 of sums, 1200 of squares (kernels::Family).
ExtendedSumValue ReadExtendedSum(const Accumulators& from, std::int64_t index,
                                 int scale_bits = 64);

// Sums of elements of `type`, converted to `dtype` first where that is given.
// Complex elements come as pairs of numbers (parts = 2).
std::unique_ptr<const Reducer> MakeSum(ElementType type,
                                       std::optional<ElementType> dtype,
                                       Nans nans);

}  // namespace hearth
