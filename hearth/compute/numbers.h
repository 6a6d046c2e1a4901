// Numbers of any element type, one at a time and in runs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hearth/matrix/element_type.h"

namespace hearth {

// float32 for complex64, float64 for complex128; any other type itself.
ElementType RealTypeOf(ElementType type);

// Writes `value` as a bool, integer or float type; rounded once, every NaN as
// the one quiet NaN of the type. A float goes to an integer as NumPy casts it:
// towards zero, and what does not fit as x86 has it.
void StoreReal(ElementType type, double value, std::byte* to);
// The low bytes of `value`, as an integer type; or != 0, as a bool.
void StoreWrapped(ElementType type, std::uint64_t value, std::byte* to);

// `count` real numbers, as NumPy's astype. Neither type is complex; neither run
// need be aligned.
void ConvertNumbers(ElementType from_type, const std::byte* from,
                    ElementType to_type, std::byte* to, std::int64_t count);

// A real number as the widest type of its kind: Wide is double for floats,
// int64 for signed integers, uint64 for unsigned ones and bool.
template <class Wide>
Wide LoadNumber(ElementType type, const std::byte* from);

// Calls visit(Wide{}) with that type.
template <class Visit>
auto WithWideType(ElementType type, Visit&& visit) {
  if (IsFloat(type)) return visit(double{});
  if (IsSigned(type)) return visit(std::int64_t{});
  return visit(std::uint64_t{});
}

// The first of `count` numbers, each `stride_bytes` after the one before, that
// equals `value` (or is NaN as it is); `count` where none is.
template <class Wide>
std::int64_t FindNumber(ElementType type, const std::byte* from,
                        std::int64_t stride_bytes, std::int64_t count,
                        Wide value);

}  // namespace hearth
