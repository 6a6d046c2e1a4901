#pragma once

#include <memory>

#include "hearth/compute/reduction/reducer.h"

namespace hearth {

// float64 of bool and integers, the parts' type of complex ones, float32 of
// bfloat16, else the type itself.
ElementType NormTypeOf(ElementType type);

// The vector norm of order `order`, which is not NaN. Complex elements come
// as pairs (parts = 2) for order 2, else as they are.
std::unique_ptr<const Reducer> MakeNorm(ElementType type, double order);

}  // namespace hearth
