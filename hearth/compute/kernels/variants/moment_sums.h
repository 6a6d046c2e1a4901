// What moments.cc adds up: the sums of its two looks, and what is kept of them.
#pragma once

#include "hearth/compute/kernels/variants/engine.h"
#include "hearth/compute/kernels/variants/two_sum.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

template <class Element, int N>
[[gnu::always_inline]] inline Vector<double, N> LoadDouble(
    const std::byte* at) {
  return Convert<double, typename Element::Wide, N>(
      Element::template Load<N>(at));
}

// First look: sum, and how many there were.
template <class ElementType, bool kSkipsNan>
struct Centre {
  using Element = ElementType;
  using Lane = double;
  static constexpr int kParts = kSkipsNan ? 2 : 1;
  static constexpr Lane kNothing[2] = {0, 0};

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<Centre, N>& to,
                                         const std::byte* at) {
    const auto x = LoadDouble<Element, N>(at);
    if constexpr (kSkipsNan) {
      const auto none = Broadcast<double, N>(0);
      to.part[0] += x == x ? x : none;
      to.part[1] += x == x ? Broadcast<double, N>(1) : none;
    } else {
      to.part[0] += x;
    }
  }
  template <int N>
  [[gnu::always_inline]] static void Merge(Lanes<Centre, N>& left,
                                           const Lanes<Centre, N>& right) {
    for (int c = 0; c < kParts; ++c) left.part[c] += right.part[c];
  }
};

// Second look: sums of d and of d * d, about a centre that stays.
template <class ElementType, bool kSkipsNan>
struct Spread {
  using Element = ElementType;
  using Lane = double;
  static constexpr int kParts = 3;  // d, d * d, centre
  static constexpr int kChangingParts = 2;
  static constexpr Lane kNothing[kParts] = {0, 0, 0};

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<Spread, N>& to,
                                         const std::byte* at) {
    const auto x = LoadDouble<Element, N>(at);
    auto d = x - to.part[2];
    if constexpr (kSkipsNan) d = x == x ? d : Broadcast<double, N>(0);
    to.part[0] += d;
    to.part[1] += d * d;
  }
  template <int N>
  [[gnu::always_inline]] static void Merge(Lanes<Spread, N>& left,
                                           const Lanes<Spread, N>& right) {
    left.part[0] += right.part[0];
    left.part[1] += right.part[1];
  }
};

// What is kept: count, mean as high + low, sum of squared deviations as high +
// low.
struct Moments {
  using Lane = double;
  static constexpr int kParts = 5;
  static constexpr Lane kNothing[kParts] = {0, 0, 0, 0, 0};

  template <int N>
  [[gnu::always_inline]] static void Merge(Lanes<Moments, N>& left,
                                           const Lanes<Moments, N>& right) {
    using V = Vector<double, N>;
    const V none = Broadcast<double, N>(0);
    const V count = left.part[0] + right.part[0];
    V difference = right.part[1];
    V rest = right.part[2] - left.part[2];
    TwoSum<V>(difference, rest, -left.part[1]);
    const V delta = difference + rest;
    // A side that saw nothing has weight 0; both: 0 / 0 is not taken.
    const V share = count == none ? none : right.part[0] / count;
    V high = left.part[1];
    V low = left.part[2];
    TwoSum<V>(high, low, delta * share);
    V squares = left.part[3];
    V squares_low = left.part[4] + right.part[4];
    TwoSum<V>(squares, squares_low, right.part[3]);
    TwoSum<V>(squares, squares_low, delta * delta * (left.part[0] * share));
    const auto fresh = left.part[0] == none;
    const auto idle = right.part[0] == none;
    left.part[1] = fresh ? right.part[1] : (idle ? left.part[1] : high);
    left.part[2] = fresh ? right.part[2] : (idle ? left.part[2] : low);
    left.part[3] = fresh ? right.part[3] : (idle ? left.part[3] : squares);
    left.part[4] = fresh ? right.part[4] : (idle ? left.part[4] : squares_low);
    left.part[0] = count;
  }
};

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
