// Sums of float64 that keep what every addition rounded away, and that come
// back from an overflow on the way to a finite sum.
#pragma once

#include "hearth/compute/kernels/variants/engine.h"
#include "hearth/compute/kernels/variants/take.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

// high + low takes in x: what the addition rounds away goes to low (Knuth).
// After an infinity or a NaN, high is IEEE's plain sum and low is NaN.
template <class V>
[[gnu::always_inline]] inline void TwoSum(V& high, V& low, V x) {
  const V sum = high + x;
  const V taken = sum - high;
  low += (high - (sum - taken)) + (x - taken);
  high = sum;
}

// Squared deviations from the mean, of the sums of d and of d * d about some
// other centre; `share` is the sum of d over the count. Infinite where float64
// can't hold them, NaN where an element was infinite.
template <class V>
[[gnu::always_inline]] inline V SquaresAboutMean(V sum, V squares, V share) {
  const V none = V{};
  const V beyond = none + __builtin_inf();
  const V moved = squares - sum * share;
  const auto overflowed = (squares == beyond) & (share - share == none);
  return overflowed ? beyond : (moved < none ? none : moved);
}

// (high + low) * 2^(64 * scale). The scale is 0, or 1 once a sum passed the
// largest float64: with it, 2^63 of the largest elements fit.
struct Extended {
  double high;
  double low;
  std::int8_t scale;
};
inline constexpr double kOverflowScale = 0x1p-64;

[[gnu::always_inline]] inline bool IsFinite(double x) { return x - x == 0; }

inline Extended LoadExtended(std::byte* const* from, std::int64_t index) {
  return {LoadRaw<double, 1>(from[0] + index * 8),
          LoadRaw<double, 1>(from[1] + index * 8),
          LoadRaw<std::int8_t, 1>(from[2] + index)};
}
inline void StoreExtended(const Extended& x, std::byte* const* to,
                          std::int64_t index) {
  StoreRaw<double, 1>(to[0] + index * 8, x.high);
  StoreRaw<double, 1>(to[1] + index * 8, x.low);
  StoreRaw<std::int8_t, 1>(to[2] + index, x.scale);
}

inline Extended Scaled(const Extended& x) {
  if (x.scale != 0) return x;
  return {x.high * kOverflowScale, x.low * kOverflowScale, 1};
}

// Only where an operand was scaled, or the plain sum is not finite.
[[gnu::noinline]] inline Extended AddScaled(const Extended& a,
                                            const Extended& b) {
  Extended sum = Scaled(a);
  const Extended term = Scaled(b);
  TwoSum(sum.high, sum.low, term.high);
  sum.low += term.low;
  return sum;
}

template <class Take>
struct ExtendedSum {
  using Element = Plain<double>;
  using Lane = double;
  static constexpr int kParts = 2;
  static constexpr int kComponents = 3;
  static constexpr Lane kNothing[kParts] = {-0.0, -0.0};

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<ExtendedSum, N>& to,
                                         const std::byte* at) {
    TwoSum(to.part[0], to.part[1],
           Take::template Of<N>(Element::template Load<N>(at)));
  }

  template <int N>
  [[gnu::always_inline]] static void Merge(Lanes<ExtendedSum, N>& left,
                                           const Lanes<ExtendedSum, N>& right) {
    TwoSum(left.part[0], left.part[1], right.part[0]);
    left.part[1] += right.part[1];
  }

  [[gnu::noinline]] static Extended Again(const Source& source,
                                          std::int64_t accumulator) {
    Extended sum{-0.0, -0.0, 1};
    const std::byte* at = source.data + accumulator * source.accumulator_bytes;
    for (std::int64_t i = 0; i < source.rows; ++i) {
      TwoSum(sum.high, sum.low,
             Take::template Of<1>(LoadRaw<double, 1>(at)) * kOverflowScale);
      at += source.row_bytes;
    }
    return sum;
  }

  // Joins to accumulator index + k what `parts` hold at k, or, where that is
  // not the whole truth, term_of(k).
  template <class TermOf>
  static void Join(std::byte* const* parts, std::int64_t count,
                   std::byte* const* accumulators, std::int64_t index,
                   TermOf&& term_of) {
    constexpr int kN = kRegisterLanes<double>;
    std::int64_t k = 0;
    for (; k + kN <= count; k += kN) {
      auto lanes = LoadLanes<ExtendedSum, kN>(accumulators, index + k);
      Merge<kN>(lanes, LoadLanes<ExtendedSum, kN>(parts, k));
      // 0 where a sum is finite, else NaN.
      const bool finite = AllZero<kN>(lanes.part[0] - lanes.part[0]);
      if (finite && NoneScaled<kN>(accumulators[2] + index + k)) {
        StoreLanes<ExtendedSum, kN>(lanes, accumulators, index + k);
      } else {
        JoinOneByOne(k, k + kN, accumulators, index, term_of);
      }
    }
    JoinOneByOne(k, count, accumulators, index, term_of);
  }

  template <int N>
  static bool NoneScaled(const std::byte* scales) {
    static_assert(N <= 8);
    std::uint64_t all = 0;
    __builtin_memcpy(&all, scales, N);
    return all == 0;
  }

  template <class TermOf>
  static void JoinOneByOne(std::int64_t begin, std::int64_t end,
                           std::byte* const* accumulators, std::int64_t index,
                           TermOf&& term_of) {
    for (std::int64_t k = begin; k < end; ++k) {
      const Extended before = LoadExtended(accumulators, index + k);
      const Extended term = term_of(k);
      Extended sum = before;
      TwoSum(sum.high, sum.low, term.high);
      sum.low += term.low;
      if (!IsFinite(sum.high) || before.scale != 0 || term.scale != 0)
        sum = AddScaled(before, term);
      StoreExtended(sum, accumulators, index + k);
    }
  }

  static void Commit(std::byte* const* parts, std::int64_t count,
                     const Source& source, std::byte* const* accumulators,
                     std::int64_t index) {
    Join(parts, count, accumulators, index, [&](std::int64_t k) -> Extended {
      const double high = LoadRaw<double, 1>(parts[0] + k * 8);
      if (!IsFinite(high)) return Again(source, k);
      return {high, LoadRaw<double, 1>(parts[1] + k * 8), 0};
    });
  }
};

template <class Op>
void ClearExtended(std::byte* const* accumulators, std::int64_t count) {
  ClearLanes<Op>(accumulators, count);
  __builtin_memset(accumulators[2], 0, static_cast<std::size_t>(count));
}

template <class Op>
void MergeExtended(std::byte* const* left, std::byte* const* right,
                   std::int64_t count) {
  // A scaled term in `right` has to be looked at; where there is none, the fast
  // way will do.
  bool scaled = false;
  for (std::int64_t k = 0; k < count; ++k)
    scaled |= right[2][k] != std::byte{0};
  const auto term_of = [&](std::int64_t k) { return LoadExtended(right, k); };
  if (scaled) {
    Op::JoinOneByOne(0, count, left, 0, term_of);
  } else {
    Op::Join(right, count, left, 0, term_of);
  }
}

template <class Op>
constexpr Kernel ExtendedKernelOf() {
  Kernel kernel{};
  kernel.components = Op::kComponents;
  kernel.component_bytes[0] = 8;
  kernel.component_bytes[1] = 8;
  kernel.component_bytes[2] = 1;
  kernel.clear = &ClearExtended<Op>;
  kernel.reduce = &ReducePanels<Op>;
  kernel.merge = &MergeExtended<Op>;
  return kernel;
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
