#pragma once

#include <cstddef>
#include <cstdint>

#include "hearth/matrix/element_type.h"

namespace hearth {

// Copies `element_count` elements with each number's bytes reversed (both
// halves of a complex one by itself). Any alignment; no overlap but to == from.
void SwapBytes(const std::byte* from, std::byte* to, std::int64_t element_count,
               ElementType type);

}  // namespace hearth
