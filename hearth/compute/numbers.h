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

}  // namespace hearth
