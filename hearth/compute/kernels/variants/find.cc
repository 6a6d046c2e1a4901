#include "hearth/compute/kernels/variants/families.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

// dispatch.cc declares this once a variant.
const Kernel* Find(Family family, Scalar scalar);

const Kernel* Find(Family family, Scalar scalar) {
  switch (family) {
    case Family::kSum:
      return FindSum(scalar);
  }
  return nullptr;
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
