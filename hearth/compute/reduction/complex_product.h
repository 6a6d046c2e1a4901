#pragma once

#include <memory>

#include "hearth/compute/reduction/reducer.h"
#include "hearth/compute/reduction/sums.h"

namespace hearth {

// The product of complex elements of `type`, rounded to `result` at the end. An
// exponent of its own keeps it from overflowing on the way.
std::unique_ptr<const Reducer> MakeComplexProduct(ElementType type,
                                                  ElementType result,
                                                  Nans nans);

}  // namespace hearth
