#include "hearth/compute/kernels/products.h"

#include "hearth/compute/kernels/variants/simd.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

// products.cc beside this folder declares it once a variant.
const ProductKernels* FindProducts(Scalar scalar);

namespace {

constexpr int kN = kRegisterLanes<double>;

template <class Element, int N>
[[gnu::always_inline]] inline Vector<double, N> LoadWide(
    const std::byte* from) {
  return Convert<double, typename Element::Wide, N>(
      Element::template Load<N>(from));
}

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
// once for all and their lanes are folded side by side: four, if half of the
// registers hold their lanes.
template <int kLanes>
inline constexpr int kDotRows = kN*(kN == 8 ? 16 : 8) / kLanes >= 4 ? 4 : 1;

// Asked for in time, as in lanes.h: of short rows what comes later as it lies,
// of long ones what comes later in each.
constexpr std::int64_t kDotShortRowBytes = 16384;
constexpr std::int64_t kDotAheadBytes = 4 * 1024;
constexpr std::int64_t kDotAheadInRow = 1536;

template <int kRows>
struct Together {};

struct DotAhead {
  const std::byte* from;
  std::int64_t step;  // bytes from what one element stands for to the next
  std::int64_t row;   // and from one row to the next
};

// dots[i] += row i times weights, for kRows rows. Element k goes to lane
// k % kLanes.
template <class Element, class Weight, int kLanes, int kRows>
[[gnu::always_inline]] inline void DotTogether(const std::byte* x,
                                               std::int64_t stride,
                                               std::int64_t width,
                                               const std::byte* weights,
                                               const std::byte* rest_of_weights,
                                               DotAhead ahead, double* dots) {
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
        lane[r][v] +=
            LoadWide<Element, kN>(from + r * from_stride + v * kN * kBytes) *
            weight;
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

template <class Element, class Weight, int kLanes>
void DotRows(const RowSpan& x, const std::byte* weights, double* dots) {
  constexpr int kBytes = sizeof(typename Element::Stored);
  constexpr int kWeightBytes = sizeof(typename Weight::Stored);
  const std::int64_t rest = x.width % kLanes;
  std::byte rest_of_weights[kLanes * kWeightBytes] = {};
  __builtin_memcpy(rest_of_weights, weights + (x.width - rest) * kWeightBytes,
                   static_cast<std::size_t>(rest * kWeightBytes));
  const bool is_short =
      x.stride == x.width * kBytes && x.stride <= kDotShortRowBytes;
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
      DotTogether<Element, Weight, kLanes, kRows>(row, x.stride, x.width,
                                                  weights, rest_of_weights,
                                                  ahead(row, kRows), dots + i);
    }
  };
  // Without weights to convert, rows of a few lines go better one by one: a
  // stream that the processor foresees.
  const bool alone = kLanes == 32 && kBytes == 8 && is_short && x.stride <= 512;
  if constexpr (kDotRows<kLanes> == 4) {
    if (!alone) {
      take(Together<4>());
      take(Together<2>());
    }
  }
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
template <class Element, class Weight>
void Dot(const RowSpan& x, const std::byte* weights, double* dots) {
  if (x.width < 8) {
    DotShortRows<Element, Weight>(x, weights, dots);
  } else if (x.width < 64) {
    DotRows<Element, Weight, 8>(x, weights, dots);
  } else {
    DotRows<Element, Weight, 32>(x, weights, dots);
  }
}

// Columns whose sums stay in the first-level cache while a tile's rows pass:
// half of it, so that a long row is read by whole pages.
constexpr std::int64_t kTileColumns = 2048;
// Rows that are added up before they meet the sums.
constexpr int kGroup = 8;

// Short rows are streams too short for the processor to see; what comes 12 KiB
// later is asked for in the order in which it lies. Of long rows the next group
// is asked for, a line of each at a time: eight streams that change with every
// tile are too many to be foreseen. (Past the end that does nothing.) Into the
// second cache: rows a power of two apart share the lines of the first.
constexpr std::int64_t kShortRowBytes = 1024;
constexpr std::int64_t kPrefetchBytes = 12288;

template <class Element, int N>
[[gnu::always_inline]] inline void CombineGroup(const std::byte* x,
                                                std::int64_t stride,
                                                const double* weights,
                                                double* sums) {
  Vector<double, N> product[kGroup];
#pragma GCC unroll 8
  for (int i = 0; i < kGroup; ++i) {
    product[i] = LoadWide<Element, N>(x + i * stride) * weights[i];
  }
  auto* at = reinterpret_cast<std::byte*>(sums);
  StoreRaw<double, N>(
      at, LoadRaw<double, N>(at) +
              (((product[0] + product[1]) + (product[2] + product[3])) +
               ((product[4] + product[5]) + (product[6] + product[7]))));
}

template <class Element, int N>
[[gnu::always_inline]] inline void CombineRow(const std::byte* x, double weight,
                                              double* sums) {
  auto* at = reinterpret_cast<std::byte*>(sums);
  StoreRaw<double, N>(
      at, LoadRaw<double, N>(at) + LoadWide<Element, N>(x) * weight);
}

// As CombineTile, bit by bit, for fewer rows than pay for a tile.
template <class Element, int N>
[[gnu::always_inline]] inline void CombineFewRowsAt(const RowSpan& x,
                                                    std::int64_t k,
                                                    const double* weights,
                                                    double* sums) {
  constexpr int kBytes = sizeof(typename Element::Stored);
  const std::byte* at = x.data + k * kBytes;
  Vector<double, N> sum = LoadWide<Element, N>(at) * weights[0];
  for (std::int64_t i = 1; i < x.rows; ++i) {
    sum += LoadWide<Element, N>(at + i * x.stride) * weights[i];
  }
  auto* to = reinterpret_cast<std::byte*>(sums + k);
  StoreRaw<double, N>(to, LoadRaw<double, N>(to) + sum);
}

template <class Element>
void CombineFewRows(const RowSpan& x, const std::byte* weights, double* sums) {
  double weight[kGroup];
  __builtin_memcpy(weight, weights, static_cast<std::size_t>(x.rows * 8));
  std::int64_t k = 0;
  for (; k + kN <= x.width; k += kN) {
    CombineFewRowsAt<Element, kN>(x, k, weight, sums);
  }
  for (; k < x.width; ++k) {
    CombineFewRowsAt<Element, 1>(x, k, weight, sums);
  }
}

// At most kCombineRows rows of at most kTileColumns columns. `after` is read
// next.
template <class Element>
void CombineTile(const RowSpan& x, const std::byte* weights,
                 const std::byte* after, double* sums) {
  constexpr int kBytes = sizeof(typename Element::Stored);
  double tile[kTileColumns];
  for (std::int64_t k = 0; k < x.width; ++k) tile[k] = 0.0;
  const std::int64_t vectors_end = x.width / kN * kN;
  const bool is_long = x.stride > kShortRowBytes;
  const bool is_short =
      !is_long && x.stride == x.width * kBytes && x.stride >= 128;
  const std::byte* row = x.data;
  std::int64_t i = 0;
  for (; i + kGroup <= x.rows; i += kGroup, row += kGroup * x.stride) {
    double weight[kGroup];
    __builtin_memcpy(weight, weights + i * 8, sizeof(weight));
    const std::byte* next =
        i + 2 * kGroup <= x.rows ? row + kGroup * x.stride : after;
    if (is_short) next = row + kPrefetchBytes;
    std::int64_t k = 0;
    for (; k < vectors_end; k += kN) {
      if (is_short) {
        // As many bytes as the eight rows have in this step.
#pragma GCC unroll 8
        for (int line = 0; line < kGroup * kN * kBytes / 64; ++line) {
          __builtin_prefetch(next + kGroup * k * kBytes + line * 64, 0, 2);
        }
      } else if (is_long && k * kBytes % 64 == 0) {
#pragma GCC unroll 8
        for (int r = 0; r < kGroup; ++r) {
          __builtin_prefetch(next + r * x.stride + k * kBytes, 0, 2);
        }
      }
      CombineGroup<Element, kN>(row + k * kBytes, x.stride, weight, tile + k);
    }
    for (; k < x.width; ++k) {
      CombineGroup<Element, 1>(row + k * kBytes, x.stride, weight, tile + k);
    }
  }
  for (; i < x.rows; ++i, row += x.stride) {
    double weight;
    __builtin_memcpy(&weight, weights + i * 8, sizeof(weight));
    std::int64_t k = 0;
    for (; k < vectors_end; k += kN) {
      CombineRow<Element, kN>(row + k * kBytes, weight, tile + k);
    }
    for (; k < x.width; ++k) {
      CombineRow<Element, 1>(row + k * kBytes, weight, tile + k);
    }
  }
  for (std::int64_t k = 0; k < x.width; ++k) sums[k] += tile[k];
}

template <class Element>
void Combine(const RowSpan& x, const std::byte* weights, double* sums) {
  constexpr int kBytes = sizeof(typename Element::Stored);
  if (x.rows < kGroup && x.rows > 0) {
    return CombineFewRows<Element>(x, weights, sums);
  }
  for (std::int64_t i = 0; i < x.rows; i += kCombineRows) {
    const std::int64_t rows =
        x.rows - i < kCombineRows ? x.rows - i : kCombineRows;
    for (std::int64_t k = 0; k < x.width; k += kTileColumns) {
      const std::int64_t width =
          x.width - k < kTileColumns ? x.width - k : kTileColumns;
      const std::byte* from = x.data + i * x.stride + k * kBytes;
      const std::byte* after = k + width < x.width
                                   ? from + width * kBytes
                                   : x.data + (i + rows) * x.stride;
      CombineTile<Element>({from, rows, x.stride, width}, weights + i * 8,
                           after, sums + k);
    }
  }
}

template <class Element>
constexpr ProductKernels KernelsOf() {
  return {&Dot<Element, Plain<double>>, &Dot<Element, Element>,
          &Combine<Element>};
}

constexpr ProductKernels kFloat64 = KernelsOf<Plain<double>>();
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
