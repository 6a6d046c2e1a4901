#include "hearth/compute/kernels/variants/families.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

// dispatch.cc declares this once a variant.
const Kernel* Find(Family family, Scalar scalar);

const Kernel* Find(Family family, Scalar scalar) {
  switch (family) {
    case Family::kSum:
    case Family::kSumOfNumbers:
    case Family::kSumOfMagnitudes:
      return FindSum(family, scalar);
    case Family::kExactSum:
      return FindExactSum(scalar);
    case Family::kCountOfNonzeros:
    case Family::kCountOfNumbers:
      return FindCount(family, scalar);
    case Family::kMin:
    case Family::kMax:
    case Family::kMinSkippingNan:
    case Family::kMaxSkippingNan:
    case Family::kMinMagnitude:
    case Family::kMaxMagnitude:
      return FindExtreme(family, scalar);
    case Family::kProduct:
    case Family::kProductOfNumbers:
      return FindProduct(family, scalar);
    case Family::kMoments:
    case Family::kMomentsOfNumbers:
      return FindMoments(family, scalar);
    case Family::kSquares:
      return FindSquares(scalar);
  }
  return nullptr;
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
