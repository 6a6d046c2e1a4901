// Weighted rows added up, a number a column.
#pragma once

#include "hearth/compute/kernels/products.h"
#include "hearth/compute/kernels/variants/weighted.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

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

template <class Element, Product kProduct, int N>
[[gnu::always_inline]] inline void CombineGroup(const std::byte* x,
                                                std::int64_t stride,
                                                const double* weights,
                                                double* sums) {
  Vector<double, N> pair[kGroup / 2];
#pragma GCC unroll 4
  for (int i = 0; i < kGroup; i += 2) {
    const std::byte* at = x + i * stride;
    pair[i / 2] = AddProduct<kProduct, N>(LoadWide<Element, N>(at) * weights[i],
                                          LoadWide<Element, N>(at + stride),
                                          Broadcast<double, N>(weights[i + 1]));
  }
  auto* to = reinterpret_cast<std::byte*>(sums);
  StoreRaw<double, N>(
      to, LoadRaw<double, N>(to) + ((pair[0] + pair[1]) + (pair[2] + pair[3])));
}

template <class Element, Product kProduct, int N>
[[gnu::always_inline]] inline void CombineRow(const std::byte* x, double weight,
                                              double* sums) {
  auto* at = reinterpret_cast<std::byte*>(sums);
  StoreRaw<double, N>(at, AddProduct<kProduct, N>(
                              LoadRaw<double, N>(at), LoadWide<Element, N>(x),
                              Broadcast<double, N>(weight)));
}

// As CombineTile, bit by bit, for fewer rows than pay for a tile.
template <class Element, Product kProduct, int N>
[[gnu::always_inline]] inline void CombineFewRowsAt(const RowSpan& x,
                                                    std::int64_t k,
                                                    const double* weights,
                                                    double* sums) {
  constexpr int kBytes = sizeof(typename Element::Stored);
  const std::byte* at = x.data + k * kBytes;
  Vector<double, N> sum = LoadWide<Element, N>(at) * weights[0];
  for (std::int64_t i = 1; i < x.rows; ++i) {
    sum = AddProduct<kProduct, N>(sum, LoadWide<Element, N>(at + i * x.stride),
                                  Broadcast<double, N>(weights[i]));
  }
  auto* to = reinterpret_cast<std::byte*>(sums + k);
  StoreRaw<double, N>(to, LoadRaw<double, N>(to) + sum);
}

template <class Element, Product kProduct>
void CombineFewRows(const RowSpan& x, const std::byte* weights, double* sums) {
  constexpr int kN = kWideLanes<Element>;
  double weight[kGroup];
  __builtin_memcpy(weight, weights, static_cast<std::size_t>(x.rows * 8));
  std::int64_t k = 0;
  for (; k + kN <= x.width; k += kN) {
    CombineFewRowsAt<Element, kProduct, kN>(x, k, weight, sums);
  }
  for (; k < x.width; ++k) {
    CombineFewRowsAt<Element, kProduct, 1>(x, k, weight, sums);
  }
}

// Rows of so few bytes are read two at a time, so that memory sees nearly one
// stream; of eight at a time each would end before it is seen to be one. (From
// 512 bytes on, asking for them as above does as well.)
constexpr std::int64_t kInOrderRowBytes = 256;
constexpr std::int64_t kInOrderAhead = 5 * 1024;

// CombineGroup of whole rows without gaps, bit by bit; up to `end`, a multiple
// of a vector's lanes.
template <class Element, Product kProduct>
[[gnu::always_inline]] inline void CombineGroupInOrder(const std::byte* x,
                                                       std::int64_t stride,
                                                       std::int64_t end,
                                                       const double* weights,
                                                       double* tile) {
  constexpr int kN = kWideLanes<Element>;
  constexpr int kBytes = sizeof(typename Element::Stored);
  double first[kInOrderRowBytes / kBytes];
  double second[kInOrderRowBytes / kBytes];
  const auto pass = [&](int row, auto&& take) __attribute__((always_inline)) {
    const std::byte* from = x + row * stride;
    const auto a = Broadcast<double, kN>(weights[row]);
    const auto b = Broadcast<double, kN>(weights[row + 1]);
    for (std::int64_t k = 0; k < end; k += kN) {
      const std::byte* at = from + k * kBytes;
#pragma GCC unroll 2
      for (int line = 0; line < 2 * kN * kBytes; line += 64) {
        __builtin_prefetch(at + k * kBytes + kInOrderAhead + line, 0, 2);
      }
      take(k, AddProduct<kProduct, kN>(LoadWide<Element, kN>(at) * a,
                                       LoadWide<Element, kN>(at + stride), b));
    }
  };
  const auto load = [](const double* from) __attribute__((always_inline)) {
    return LoadRaw<double, kN>(reinterpret_cast<const std::byte*>(from));
  };
  const auto store =
      [](double* to, Vector<double, kN> value) __attribute__((always_inline)) {
    StoreRaw<double, kN>(reinterpret_cast<std::byte*>(to), value);
  };
  using Pair = Vector<double, kN>;
  pass(
      0, [&](std::int64_t k, Pair pair)
             __attribute__((always_inline)) { store(first + k, pair); });
  pass(
      2, [&](std::int64_t k, Pair pair) __attribute__((always_inline)) {
        store(first + k, load(first + k) + pair);
      });
  pass(
      4, [&](std::int64_t k, Pair pair)
             __attribute__((always_inline)) { store(second + k, pair); });
  pass(
      6, [&](std::int64_t k, Pair pair) __attribute__((always_inline)) {
        store(tile + k,
              load(tile + k) + (load(first + k) + (load(second + k) + pair)));
      });
}

// At most kCombineRows rows of at most kTileColumns columns. `after` is read
// next.
template <class Element, Product kProduct>
void CombineTile(const RowSpan& x, const std::byte* weights,
                 const std::byte* after, double* sums) {
  constexpr int kBytes = sizeof(typename Element::Stored);
  constexpr int kN = kWideLanes<Element>;
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
    if (is_short && x.stride <= kInOrderRowBytes) {
      CombineGroupInOrder<Element, kProduct>(row, x.stride, vectors_end, weight,
                                             tile);
      k = vectors_end;
    }
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
      CombineGroup<Element, kProduct, kN>(row + k * kBytes, x.stride, weight,
                                          tile + k);
    }
    for (; k < x.width; ++k) {
      CombineGroup<Element, kProduct, 1>(row + k * kBytes, x.stride, weight,
                                         tile + k);
    }
  }
  for (; i < x.rows; ++i, row += x.stride) {
    double weight;
    __builtin_memcpy(&weight, weights + i * 8, sizeof(weight));
    std::int64_t k = 0;
    for (; k < vectors_end; k += kN) {
      CombineRow<Element, kProduct, kN>(row + k * kBytes, weight, tile + k);
    }
    for (; k < x.width; ++k) {
      CombineRow<Element, kProduct, 1>(row + k * kBytes, weight, tile + k);
    }
  }
  for (std::int64_t k = 0; k < x.width; ++k) sums[k] += tile[k];
}

template <class Element, Product kProduct>
void Combine(const RowSpan& x, const std::byte* weights, double* sums) {
  constexpr int kBytes = sizeof(typename Element::Stored);
  if (x.rows < kGroup && x.rows > 0) {
    return CombineFewRows<Element, kProduct>(x, weights, sums);
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
      CombineTile<Element, kProduct>({from, rows, x.stride, width},
                                     weights + i * 8, after, sums + k);
    }
  }
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
