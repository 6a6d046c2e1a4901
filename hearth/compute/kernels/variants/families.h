// What each source of kernels offers; find.cc asks them in turn.
#pragma once

#include "hearth/compute/kernels/kernel.h"
#include "hearth/compute/kernels/variant.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

const Kernel* FindCount(Family family, Scalar scalar);
const Kernel* FindExactSum(Scalar scalar);
const Kernel* FindExtreme(Family family, Scalar scalar);
const Kernel* FindMoments(Family family, Scalar scalar);
const Kernel* FindProduct(Family family, Scalar scalar);
const Kernel* FindSquares(Scalar scalar);
const Kernel* FindSum(Family family, Scalar scalar);

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
