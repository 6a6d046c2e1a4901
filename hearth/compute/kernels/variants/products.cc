#include "hearth/compute/kernels/products.h"

#include "hearth/compute/kernels/variants/combine.h"
#include "hearth/compute/kernels/variants/dots.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

// products.cc beside this folder declares it once a variant.
const ProductKernels* FindProducts(Scalar scalar);

namespace {

// kNarrow: what is exact of it when the weights are as narrow.
template <class Element, Product kNarrow = Product::kExact>
constexpr ProductKernels KernelsOf() {
  using Wide = Plain<double>;
  return {.dot = &Dot<Element, Wide, Product::kRounded>,
          .dot_narrow = &Dot<Element, Wide, kNarrow>,
          .dot_alike = &Dot<Element, Element, kNarrow>,
          .combine = &Combine<Element, Product::kRounded>,
          .combine_narrow = &Combine<Element, kNarrow>};
}

constexpr ProductKernels kFloat64 =
    KernelsOf<Plain<double>, Product::kRounded>();
constexpr ProductKernels kFloat32 = KernelsOf<Plain<float>>();
constexpr ProductKernels kFloat16 = KernelsOf<Float16>();
constexpr ProductKernels kBfloat16 = KernelsOf<Bfloat16>();

}  // namespace

const ProductKernels* FindProducts(Scalar scalar) {
  switch (scalar) {
    case Scalar::kFloat64:
      return &kFloat64;
    case Scalar::kFloat32:
      return &kFloat32;
    case Scalar::kFloat16:
      return &kFloat16;
    case Scalar::kBfloat16:
      return &kBfloat16;
    default:
      return nullptr;
  }
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
