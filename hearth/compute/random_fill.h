#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "hearth/compute/operation.h"
#include "hearth/matrix/element_type.h"

namespace hearth {

// Writes elements [element_begin, element_begin + element_count) of the matrix
// that `seed` stands for to `out`: floats uniform in [0, 1), integers over all
// their values, complex numbers with both parts in [0, 1).
//
// Each element depends on the seed and its storage index alone, so any process
// fills any part, in any order, with the same bytes.
// Source: SplitMix64 (Steele, Lea and Flood 2014), used as a counter.
void FillRandom(ElementType type, std::uint64_t seed,
                std::int64_t element_begin, std::int64_t element_count,
                std::byte* out);

// Makes that matrix: a plan that concatenates, reads nothing (views have no
// data), and whose one result is the matrix itself.
std::unique_ptr<Plan> PlanRandomFill(const MatrixLayout& layout,
                                     std::uint64_t seed);

}  // namespace hearth
