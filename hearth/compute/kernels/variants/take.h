// What of an element is taken into a sum.
#pragma once

#include "hearth/compute/kernels/variants/simd.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

struct TakeAll {
  template <int N>
  [[gnu::always_inline]] static Vector<double, N> Of(Vector<double, N> x) {
    return x;
  }
};

struct TakeNumbers {  // 0 for NaN, as NumPy's nansum
  template <int N>
  [[gnu::always_inline]] static Vector<double, N> Of(Vector<double, N> x) {
    return x == x ? x : Broadcast<double, N>(0.0);
  }
};

struct TakeMagnitude {
  template <int N>
  [[gnu::always_inline]] static Vector<double, N> Of(Vector<double, N> x) {
    return x < 0 ? -x : x;
  }
};

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
