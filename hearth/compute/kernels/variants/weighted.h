// What dots and weighted sums of rows share: elements as float64, and how they
// meet their weights.
#pragma once

#include "hearth/compute/kernels/variants/simd.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

// float64 lanes at once. Of narrow elements half a register of the widest kind:
// an AMD Zen 4 converts two halves in half the time of a whole one.
template <class Element>
inline constexpr int kWideLanes = kRegisterLanes<double> == 8 &&
                                          sizeof(typename Element::Stored) < 8
                                      ? 4
                                      : kRegisterLanes<double>;

template <class Element, int N>
[[gnu::always_inline]] inline Vector<double, N> LoadWide(
    const std::byte* from) {
  return Convert<double, typename Element::Wide, N>(
      Element::template Load<N>(from));
}

// How far products are rounded before they are added up. Those of two floats of
// 24 bits or fewer are float64 as they are: then one instruction that rounds
// once gives the bits of two that round twice.
enum class Product { kRounded, kExact };

// sum + x * weight.
template <Product kProduct, int N>
[[gnu::always_inline]] inline Vector<double, N> AddProduct(
    Vector<double, N> sum, Vector<double, N> x, Vector<double, N> weight) {
#if defined(__FMA__)
  if constexpr (kProduct == Product::kExact) {
    if constexpr (N == 1) {
      return __builtin_fma(x, weight, sum);
#if defined(__AVX512F__)
    } else if constexpr (N == 8) {
      return Vector<double, 8>(
          _mm512_fmadd_pd(__m512d(x), __m512d(weight), __m512d(sum)));
#endif
    } else if constexpr (N == 4) {
      return Vector<double, 4>(
          _mm256_fmadd_pd(__m256d(x), __m256d(weight), __m256d(sum)));
    }
  }
#endif
  return sum + x * weight;
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
