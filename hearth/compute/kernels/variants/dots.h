// Rows times weights, a number a row.
#pragma once

#include "hearth/compute/kernels/products.h"
#include "hearth/compute/kernels/variants/weighted.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

// The sum of N lanes, as a tree: lane i takes in lane i + N/2, and so on. So a
// register's lanes are summed as the same lanes in several registers are.
template <int N>
[[gnu::always_inline]] inline double SumOf(Vector<double, N> lanes) {
  if constexpr (N == 1) {
    return lanes;
  } else if constexpr (N == 2) {
    return lanes[0] + lanes[1];
  } else if constexpr (N == 4) {
    return SumOf<2>(__builtin_shufflevector(lanes, lanes, 0, 1) +
                    __builtin_shufflevector(lanes, lanes, 2, 3));
  } else {
    return SumOf<4>(__builtin_shufflevector(lanes, lanes, 0, 1, 2, 3) +
                    __builtin_shufflevector(lanes, lanes, 4, 5, 6, 7));
  }
}

// SumOf of four rows' lanes at once, the same additions.
[[gnu::always_inline]] inline Vector<double, 4> SumsOf(Vector<double, 4> a,
                                                       Vector<double, 4> b,
                                                       Vector<double, 4> c,
                                                       Vector<double, 4> d) {
  const Vector<double, 4> ab = __builtin_shufflevector(a, b, 0, 1, 4, 5) +
                               __builtin_shufflevector(a, b, 2, 3, 6, 7);
  const Vector<double, 4> cd = __builtin_shufflevector(c, d, 0, 1, 4, 5) +
                               __builtin_shufflevector(c, d, 2, 3, 6, 7);
  return __builtin_shufflevector(ab, cd, 0, 2, 4, 6) +
         __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
}

[[gnu::always_inline]] inline Vector<double, 4> HalfOf(Vector<double, 8> x) {
  return __builtin_shufflevector(x, x, 0, 1, 2, 3) +
         __builtin_shufflevector(x, x, 4, 5, 6, 7);
}
[[gnu::always_inline]] inline Vector<double, 4> HalfOf(Vector<double, 4> x) {
  return x;
}

// Rows that are multiplied together, so that weights are read and converted
// once for all and their lanes are folded side by side: as many, up to four, as
// half of the registers hold.
template <int kLanes>
inline constexpr int kDotRows =
    kRegisterLanes<double>*(HEARTH_VECTOR_BYTES == 64 ? 16 : 8) / kLanes;

// Rows without gaps between them are read in the order in which they lie while
// they are short: a stream that the processor foresees, where four rows at once
// end before they are seen to be four streams.
constexpr std::int64_t kDotInOrderRowBytes = 2048;
constexpr std::int64_t kDotAheadInOrder = 5 * 1024;

// Asked for in time, as in lanes.h: of short rows what comes later as it lies,
// of long ones what comes later in each.
constexpr std::int64_t kDotShortRowBytes = 16384;
constexpr std::int64_t kDotAheadBytes = 4 * 1024;
constexpr std::int64_t kDotAheadInRow = 4 * 1024;

// One row's lanes, folded to four; element k goes to lane k % kLanes.
// kHasRest: the width is no multiple of that.
template <class Element, class Weight, Product kProduct, int kLanes,
          bool kHasRest>
[[gnu::always_inline]] inline Vector<double, 4> LanesOfRow(
    const std::byte* x, std::int64_t width, const std::byte* weights,
    const std::byte* rest_of_weights) {
  constexpr int kN = kWideLanes<Element>;
  constexpr int kVectors = kLanes / kN;
  constexpr int kBytes = sizeof(typename Element::Stored);
  constexpr int kWeightBytes = sizeof(typename Weight::Stored);
  const std::int64_t whole = width / kLanes * kLanes;
  // Padded with zeros to a whole step; +0.0 times +0.0 changes no lane, since
  // none is ever -0.0.
  std::byte rest[kLanes * kBytes];
  if constexpr (kHasRest) {
    __builtin_memset(rest, 0, sizeof(rest));
    __builtin_memcpy(rest, x + whole * kBytes,
                     static_cast<std::size_t>((width - whole) * kBytes));
  }
  Vector<double, kN> lane[kVectors];
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) lane[v] = Broadcast<double, kN>(0.0);
  const auto add = [&](const std::byte* from, const std::byte* w)
      __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      lane[v] = AddProduct<kProduct, kN>(
          lane[v], LoadWide<Element, kN>(from + v * kN * kBytes),
          LoadWide<Weight, kN>(w + v * kN * kWeightBytes));
    }
  };
  for (std::int64_t k = 0; k < whole; k += kLanes) {
    const std::byte* from = x + k * kBytes;
#pragma GCC unroll 4
    for (int ahead = 0; ahead < kLanes * kBytes; ahead += 64) {
      __builtin_prefetch(from + kDotAheadInOrder + ahead, 0, 2);
    }
    add(from, weights + k * kWeightBytes);
  }
  if constexpr (kHasRest) add(rest, rest_of_weights);
#pragma GCC unroll 4
  for (int half = kVectors / 2; half * kN >= 4; half /= 2) {
#pragma GCC unroll 8
    for (int v = 0; v < half; ++v) lane[v] += lane[v + half];
  }
  if constexpr (kN == 2) {
    return __builtin_shufflevector(lane[0], lane[1], 0, 1, 2, 3);
  } else {
    return HalfOf(lane[0]);
  }
}

template <class Element, class Weight, Product kProduct, int kLanes,
          bool kHasRest>
void DotRowsInOrder(const RowSpan& x, const std::byte* weights,
                    const std::byte* rest_of_weights, double* dots) {
  const std::byte* row = x.data;
  const auto next = [&]() __attribute__((always_inline)) {
    const auto lanes = LanesOfRow<Element, Weight, kProduct, kLanes, kHasRest>(
        row, x.width, weights, rest_of_weights);
    row += x.stride;
    return lanes;
  };
  std::int64_t i = 0;
  for (; i + 4 <= x.rows; i += 4) {
    const auto a = next();
    const auto b = next();
    const auto c = next();
    const auto d = next();
    auto* to = reinterpret_cast<std::byte*>(dots + i);
    StoreRaw<double, 4>(to, LoadRaw<double, 4>(to) + SumsOf(a, b, c, d));
  }
  for (; i < x.rows; ++i) dots[i] += SumOf<4>(next());
}

template <int kRows>
struct Together {};

struct DotAhead {
  const std::byte* from;
  std::int64_t step;  // bytes from what one element stands for to the next
  std::int64_t row;   // and from one row to the next
};

// dots[i] += row i times weights, for kRows rows. Element k goes to lane
// k % kLanes.
template <class Element, class Weight, Product kProduct, int kLanes, int kRows>
[[gnu::always_inline]] inline void DotTogether(const std::byte* x,
                                               std::int64_t stride,
                                               std::int64_t width,
                                               const std::byte* weights,
                                               const std::byte* rest_of_weights,
                                               DotAhead ahead, double* dots) {
  constexpr int kN = kRegisterLanes<double>;
  constexpr int kVectors = kLanes / kN;
  constexpr int kBytes = sizeof(typename Element::Stored);
  constexpr int kWeightBytes = sizeof(typename Weight::Stored);
  Vector<double, kN> lane[kRows][kVectors];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) lane[r][v] = Broadcast<double, kN>(0.0);
  }
  const auto add = [&](const std::byte* from, std::int64_t from_stride,
                       const std::byte* w) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      const auto weight = LoadWide<Weight, kN>(w + v * kN * kWeightBytes);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        lane[r][v] = AddProduct<kProduct, kN>(
            lane[r][v],
            LoadWide<Element, kN>(from + r * from_stride + v * kN * kBytes),
            weight);
      }
    }
  };
  const auto ask = [&](std::int64_t k) __attribute__((always_inline)) {
    const std::byte* from = ahead.from + k * ahead.step;
    constexpr int kLines = kLanes * kBytes / 64;
    if constexpr (kLines == 0) {
#pragma GCC unroll 4
      for (int line = 0; line < kRows * kLanes * kBytes / 64; ++line) {
        __builtin_prefetch(from + line * 64, 0, 2);
      }
    } else {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
        for (int line = 0; line < kLines; ++line) {
          __builtin_prefetch(from + r * ahead.row + line * 64, 0, 2);
        }
      }
    }
  };
  const std::int64_t whole = width / kLanes * kLanes;
  for (std::int64_t k = 0; k < whole; k += kLanes) {
    ask(k);
    add(x + k * kBytes, stride, weights + k * kWeightBytes);
  }
  if (whole != width) {
    // Padded with zeros to a whole step; +0.0 times +0.0 changes no lane, since
    // none is ever -0.0.
    std::byte rest[kRows][kLanes * kBytes] = {};
    for (int r = 0; r < kRows; ++r) {
      __builtin_memcpy(rest[r], x + r * stride + whole * kBytes,
                       static_cast<std::size_t>((width - whole) * kBytes));
    }
    ask(whole);
    add(rest[0], kLanes * kBytes, rest_of_weights);
  }
#pragma GCC unroll 4
  for (int half = kVectors / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int v = 0; v < half; ++v) {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) lane[r][v] += lane[r][v + half];
    }
  }
  if constexpr (kRows == 4) {
    auto* to = reinterpret_cast<std::byte*>(dots);
    StoreRaw<double, 4>(to, LoadRaw<double, 4>(to) +
                                SumsOf(HalfOf(lane[0][0]), HalfOf(lane[1][0]),
                                       HalfOf(lane[2][0]), HalfOf(lane[3][0])));
  } else {
    for (int r = 0; r < kRows; ++r) dots[r] += SumOf<kN>(lane[r][0]);
  }
}

template <class Element, class Weight, Product kProduct, int kLanes>
void DotRows(const RowSpan& x, const std::byte* weights, double* dots) {
  constexpr int kBytes = sizeof(typename Element::Stored);
  constexpr int kWeightBytes = sizeof(typename Weight::Stored);
  const std::int64_t rest = x.width % kLanes;
  std::byte rest_of_weights[kLanes * kWeightBytes] = {};
  __builtin_memcpy(rest_of_weights, weights + (x.width - rest) * kWeightBytes,
                   static_cast<std::size_t>(rest * kWeightBytes));
  const bool has_gaps = x.stride != x.width * kBytes;
  if (!has_gaps && x.stride <= kDotInOrderRowBytes) {
    return rest == 0 ? DotRowsInOrder<Element, Weight, kProduct, kLanes, false>(
                           x, weights, rest_of_weights, dots)
                     : DotRowsInOrder<Element, Weight, kProduct, kLanes, true>(
                           x, weights, rest_of_weights, dots);
  }
  const bool is_short = !has_gaps && x.stride <= kDotShortRowBytes;
  const auto ahead = [&](const std::byte* row, int rows) {
    return is_short ? DotAhead{row + kDotAheadBytes + (rows - 1) * x.stride,
                               rows * kBytes, kLanes * kBytes}
                    : DotAhead{row + kDotAheadInRow, kBytes, x.stride};
  };
  const std::byte* row = x.data;
  std::int64_t i = 0;
  const auto take = [&]<int kRows>(Together<kRows>)
      __attribute__((always_inline)) {
    for (; i + kRows <= x.rows; i += kRows, row += kRows * x.stride) {
      DotTogether<Element, Weight, kProduct, kLanes, kRows>(
          row, x.stride, x.width, weights, rest_of_weights, ahead(row, kRows),
          dots + i);
    }
  };
  constexpr int kTogether = kDotRows<kLanes>;
  if constexpr (kTogether >= 4) take(Together<4>());
  if constexpr (kTogether >= 2) take(Together<2>());
  take(Together<1>());
}

// Rows that don't fill a vector: one product after another.
template <class Element, class Weight>
void DotShortRows(const RowSpan& x, const std::byte* weights, double* dots) {
  constexpr int kBytes = sizeof(typename Element::Stored);
  double weight[8];
  for (std::int64_t k = 0; k < x.width; ++k) {
    weight[k] = LoadWide<Weight, 1>(
        weights + k * static_cast<int>(sizeof(typename Weight::Stored)));
  }
  const std::byte* row = x.data;
  for (std::int64_t i = 0; i < x.rows; ++i, row += x.stride) {
    double sum = 0.0;
    for (std::int64_t k = 0; k < x.width; ++k) {
      sum += LoadWide<Element, 1>(row + k * kBytes) * weight[k];
    }
    dots[i] += sum;
  }
}

// Short rows: summing up 32 lanes would cost more than filling them.
template <class Element, class Weight, Product kProduct>
void Dot(const RowSpan& x, const std::byte* weights, double* dots) {
  if (x.width < 8) {
    DotShortRows<Element, Weight>(x, weights, dots);
  } else if (x.width < 64) {
    DotRows<Element, Weight, kProduct, 8>(x, weights, dots);
  } else {
    DotRows<Element, Weight, kProduct, 32>(x, weights, dots);
  }
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
