#include "hearth/compute/kernels/products.h"

namespace hearth::kernels {

namespace baseline {
const ProductKernels* FindProducts(Scalar scalar);
}
namespace avx2 {
const ProductKernels* FindProducts(Scalar scalar);
}
namespace avx512 {
const ProductKernels* FindProducts(Scalar scalar);
}

const ProductKernels* FindProductKernels(Scalar scalar) {
  switch (ChosenVariant()) {
    case Variant::kAvx512:
      return avx512::FindProducts(scalar);
    case Variant::kAvx2:
      return avx2::FindProducts(scalar);
    case Variant::kBaseline:
      break;
  }
  return baseline::FindProducts(scalar);
}

}  // namespace hearth::kernels
