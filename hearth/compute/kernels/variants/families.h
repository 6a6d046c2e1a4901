// What each source of kernels offers; find.cc asks them in turn.
#pragma once

#include "hearth/compute/kernels/kernel.h"
#include "hearth/compute/kernels/variant.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

const Kernel* FindSum(Scalar scalar);

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
