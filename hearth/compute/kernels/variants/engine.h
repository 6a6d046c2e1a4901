// Panels to accumulators: the three ways that elements reach lanes.
//
// An Op (lanes.h) also says how finished lanes join what is kept of them:
//   Commit(parts, count, source, accumulators, index)
#pragma once

#include "hearth/compute/kernels/kernel.h"
#include "hearth/compute/kernels/variants/lanes.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

// Where the elements of a run of accumulators lie: for an Op that has to look
// again.
struct Source {
  const std::byte* data;           // first element of the first accumulator
  std::int64_t accumulator_bytes;  // from an accumulator's first element to the
                                   // next one's
  std::int64_t rows;
  std::int64_t
      row_bytes;  // from an element to the next of the same accumulator
};

// Lanes kept on the stack at once.
inline constexpr int kTileLanes = 4096;

template <class Op>
struct Tile {
  Tile() {
    for (int c = 0; c < Op::kParts; ++c)
      parts[c] = reinterpret_cast<std::byte*>(values[c]);
  }
  std::byte* parts[Op::kParts];
  alignas(64) typename Op::Lane values[Op::kParts][kTileLanes];
};

// Joins lanes [0, groups * width) in a fixed tree, group to group, to [0,
// width). `groups` is a power of two.
template <class Op>
void FoldLanes(std::byte* const* parts, std::int64_t groups,
               std::int64_t width) {
  for (std::int64_t half = groups / 2; half >= 1; half /= 2) {
    MergeLanes<Op>(parts, 0, parts, half * width, half * width);
  }
}

// A wide panel: tiles of columns, a lane each. Rows begin `stride` bytes apart.
template <class Op>
void ReduceWide(const std::byte* data, std::int64_t rows, std::int64_t width,
                std::int64_t stride, std::byte* const* accumulators,
                std::int64_t index) {
  // Whole rows, while their lanes fit a first cache: memory's own order. Else
  // strips that leave room beside the lanes, short enough that rows asked for
  // meanwhile come no earlier than they are needed.
  const bool is_whole =
      stride == width * kElementBytes<Op> && width <= kTileLanes / Op::kParts;
  const std::int64_t strip = is_whole ? width : 1024 / Op::kParts / 64 * 64;
  Tile<Op> tile;
  for (std::int64_t k = 0; k < width; k += strip) {
    const std::int64_t now = k + strip < width ? strip : width - k;
    const std::byte* from = data + k * kElementBytes<Op>;
    ClearLanes<Op>(tile.parts, now);
    AddRows<Op>(from, rows, now, stride, tile.parts,
                from + now * kElementBytes<Op>);
    Op::Commit(tile.parts, now, {from, kElementBytes<Op>, rows, stride},
               accumulators, index + k);
  }
}

// Lanes that a narrow panel is spread over, at least.
template <class Op>
inline constexpr int kSpreadLanes = 256 / kLaneBytes<Op>;

// A narrow and long panel: `groups` rows side by side as one, so that its lanes
// fill registers; then the groups are folded.
template <class Op>
void ReduceNarrow(const std::byte* data, std::int64_t rows, std::int64_t width,
                  std::int64_t groups, std::byte* const* accumulators,
                  std::int64_t index) {
  Tile<Op> tile;
  const std::int64_t lanes = groups * width;
  const std::int64_t stride = lanes * kElementBytes<Op>;
  const std::int64_t whole = rows / groups;
  ClearLanes<Op>(tile.parts, lanes);
  AddRows<Op>(data, whole, lanes, stride, tile.parts, data);
  AddRows<Op>(data + whole * stride, 1, rows % groups * width, stride,
              tile.parts, data);
  FoldLanes<Op>(tile.parts, groups, width);
  Op::Commit(tile.parts, width,
             {data, kElementBytes<Op>, rows, width * kElementBytes<Op>},
             accumulators, index);
}

// Lanes of one short row. Rows are taken kRowBatch at a time: enough for
// folding to work on whole registers, few enough that it does not keep memory
// waiting.
template <class Op>
inline constexpr int kRowLanes = 64 / kLaneBytes<Op>;
template <class Op>
inline constexpr int kRowBatch =
    kTileLanes / kRowLanes<Op> < kRowLanes<Op> ? kTileLanes / kRowLanes<Op>
                                               : kRowLanes<Op>;

// Lanes of one vector that stand before `count`: all bits set, the others none.
template <int kBytes, int N>
[[gnu::always_inline]] inline auto FirstLanes(std::int64_t count) {
  using Lane = typename IndexOf<kBytes, N>::Lane;
  typename IndexOf<kBytes, N>::Type place;
#pragma GCC unroll 64
  for (int i = 0; i < N; ++i) place[i] = static_cast<Lane>(i);
  const std::int64_t clamped = count < 0 ? 0 : count > N ? N : count;
  return place < Broadcast<Lane, N>(static_cast<Lane>(clamped));
}

// Beyond the rows at hand; as kAheadBytes, found by trying.
inline constexpr std::int64_t kShortAheadBytes = 4608;

// kRows rows from `data` on, each to kRowLanes lanes from `index` on. `length`
// elements are taken of every `row_bytes`. `end`: of what may be read.
template <class Op, int kRows>
inline void AddShortRows(const std::byte* data, std::int64_t length,
                         std::int64_t row_bytes, std::byte* const* parts,
                         std::int64_t index, const std::byte* end) {
  constexpr int kN = kRegisterLanes<typename Op::Lane>;
  constexpr int kVectors = kRowLanes<Op> / kN;
  Lanes<Op, kN> lanes[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      lanes[r][v] =
          LoadLanes<Op, kN>(parts, index + r * kRowLanes<Op> + v * kN);
  }
  // Short rows are what prefetchers follow badly: the next ones are asked for
  // meanwhile, one line after another.
  constexpr int kStep = kRows * kRowLanes<Op> * kElementBytes<Op>;
  const std::byte* const asked = data + kRows * row_bytes + kShortAheadBytes;
  const std::byte* line = asked;
  std::int64_t i = 0;
  for (; i + kRowLanes<Op> <= length; i += kRowLanes<Op>) {
#pragma GCC unroll 8
    for (int at = 0; at < kStep; at += 64) __builtin_prefetch(line + at, 0, 2);
    line += kStep;
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        Op::template Add<kN>(lanes[r][v], data + r * row_bytes +
                                              (i + v * kN) * kElementBytes<Op>);
    }
  }
  for (; line < asked + kRows * row_bytes; line += 64)
    __builtin_prefetch(line, 0, 2);
  // The rest of a row is added to its lanes alone: whole vectors are read where
  // what lies behind the row may be.
  const std::byte* last =
      data + (kRows - 1) * row_bytes + i * kElementBytes<Op>;
  const bool whole = end - last >= kRowLanes<Op> * kElementBytes<Op>;
  if (whole && i < length) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const auto mine = FirstLanes<kLaneBytes<Op>, kN>(length - i - v * kN);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        auto added = lanes[r][v];
        Op::template Add<kN>(
            added, data + r * row_bytes + (i + v * kN) * kElementBytes<Op>);
        for (int c = 0; c < ChangingParts<Op>(); ++c) {
          lanes[r][v].part[c] = mine ? added.part[c] : lanes[r][v].part[c];
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      StoreChanged<Op, kN>(lanes[r][v], parts,
                           index + r * kRowLanes<Op> + v * kN);
  }
  for (int r = 0; r < kRows && !whole; ++r) {
    for (std::int64_t k = i; k < length; ++k) {
      const std::int64_t at = index + r * kRowLanes<Op> + k - i;
      auto lane = LoadLanes<Op, 1>(parts, at);
      Op::template Add<1>(lane, data + r * row_bytes + k * kElementBytes<Op>);
      StoreLanes<Op, 1>(lane, parts, at);
    }
  }
}

template <class Op>
void AddShortRowsOf(const std::byte* data, std::int64_t rows,
                    std::int64_t length, std::int64_t row_bytes,
                    std::byte* const* parts, const std::byte* end) {
  // Wide registers hold a row in one, whose chain of additions neighbours hide:
  // rows in memory's order. Two are faster where there are two chains a row.
  constexpr int kVectors = kRowLanes<Op> / kRegisterLanes<typename Op::Lane>;
  constexpr int kRows = kVectors == 2 ? 2 : 1;
  std::int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    AddShortRows<Op, kRows>(data + r * row_bytes, length, row_bytes, parts,
                            r * kRowLanes<Op>, end);
  }
  for (; r < rows; ++r) {
    AddShortRows<Op, 1>(data + r * row_bytes, length, row_bytes, parts,
                        r * kRowLanes<Op>, end);
  }
}

// Vectors of rows become one of twice the rows and half the lanes a row: `a`
// and `b` hold N / kLanes rows each, the lanes of a row side by side. Each lane
// joins the one half a row further on, as in FoldLanes.
template <class Op, int N, int kLanes>
[[gnu::always_inline]] inline Lanes<Op, N> FoldRows(const Lanes<Op, N>& a,
                                                    const Lanes<Op, N>& b) {
  using Lane = typename Op::Lane;
  typename IndexOf<sizeof(Lane), N>::Type low;
  typename IndexOf<sizeof(Lane), N>::Type high;
#pragma GCC unroll 64
  for (int i = 0; i < N; ++i) {
    const int place = i / (kLanes / 2) * kLanes + i % (kLanes / 2);
    low[i] = static_cast<typename IndexOf<sizeof(Lane), N>::Lane>(place);
    high[i] = static_cast<typename IndexOf<sizeof(Lane), N>::Lane>(place +
                                                                   kLanes / 2);
  }
  Lanes<Op, N> left = a;
  Lanes<Op, N> right = b;
  for (int c = 0; c < ChangingParts<Op>(); ++c) {
    left.part[c] = __builtin_shuffle(a.part[c], b.part[c], low);
    right.part[c] = __builtin_shuffle(a.part[c], b.part[c], high);
  }
  Op::template Merge<N>(left, right);
  return left;
}

// N rows of kLanes lanes each, from lane `index` on in steps of kRowLanes, to
// one vector.
template <class Op, int N, int kLanes>
[[gnu::always_inline]] inline Lanes<Op, N> FoldBlock(std::byte* const* parts,
                                                     std::int64_t index) {
  if constexpr (kLanes == N) {
    return LoadLanes<Op, N>(parts, index);
  } else {
    // 2 * kLanes lanes a row to kLanes: two blocks of half as many rows.
    constexpr std::int64_t kRows = N / (2 * kLanes);
    return FoldRows<Op, N, 2 * kLanes>(
        FoldBlock<Op, N, 2 * kLanes>(parts, index),
        FoldBlock<Op, N, 2 * kLanes>(parts, index + kRows * kRowLanes<Op>));
  }
}

// The lanes of each row become one, in lanes [0, rows) of `turned`: lane by
// lane in the tree of FoldLanes.
template <class Op>
void TurnAndFold(Tile<Op>& tile, std::int64_t rows, Tile<Op>& turned) {
  constexpr int kN = kRegisterLanes<typename Op::Lane>;
  if constexpr (kRowBatch<Op> % kN == 0) {
    const std::int64_t padded = (rows + kN - 1) / kN * kN;
    for (int c = 0; c < Op::kParts; ++c) {
      for (std::int64_t k = rows * kRowLanes<Op>; k < padded * kRowLanes<Op>;
           ++k) {
        tile.values[c][k] = Op::kNothing[c];
      }
    }
    for (std::int64_t half = kRowLanes<Op> / 2; half >= kN; half /= 2) {
      for (std::int64_t row = 0; row < padded; ++row) {
        MergeLanes<Op>(tile.parts, row * kRowLanes<Op>, tile.parts,
                       row * kRowLanes<Op> + half, half);
      }
    }
    for (std::int64_t row = 0; row < padded; row += kN) {
      StoreChanged<Op, kN>(
          FoldBlock<Op, kN, 1>(tile.parts, row * kRowLanes<Op>), turned.parts,
          row);
    }
  } else {
    for (int c = 0; c < Op::kParts; ++c) {
      for (std::int64_t row = 0; row < rows; ++row) {
        for (int lane = 0; lane < kRowLanes<Op>; ++lane)
          turned.values[c][lane * rows + row] =
              tile.values[c][row * kRowLanes<Op> + lane];
      }
    }
    FoldLanes<Op>(turned.parts, kRowLanes<Op>, rows);
  }
}

template <class Op>
void ReduceShortRows(const std::byte* data, std::int64_t panels,
                     std::int64_t length, std::byte* const* accumulators) {
  Tile<Op> tile;
  Tile<Op> turned;
  const std::int64_t row_bytes = length * kElementBytes<Op>;
  for (std::int64_t p = 0; p < panels; p += kRowBatch<Op>) {
    const std::int64_t now =
        p + kRowBatch<Op> < panels ? kRowBatch<Op> : panels - p;
    const std::byte* from = data + p * row_bytes;
    ClearLanes<Op>(tile.parts, now * kRowLanes<Op>);
    AddShortRowsOf<Op>(from, now, length, row_bytes, tile.parts,
                       data + panels * row_bytes);
    TurnAndFold<Op>(tile, now, turned);
    Op::Commit(turned.parts, now, {from, row_bytes, length, kElementBytes<Op>},
               accumulators, p);
  }
}

// Rows up to here share registers with their neighbours; longer ones have
// enough of their own to pay for a fold each.
inline constexpr std::int64_t kShortRowMax = 4096;

template <class Op>
void ReducePanels(const Panels& panels, std::byte* const* accumulators) {
  const auto [data, count, rows, width, row_bytes] = panels;
  if (rows == 0 || width == 0) return;
  if (row_bytes != 0) {
    ReduceWide<Op>(data, rows, width, row_bytes, accumulators, 0);
    return;
  }
  if (width == 1 && rows <= kShortRowMax && count > 1) {
    ReduceShortRows<Op>(data, count, rows, accumulators);
    return;
  }
  std::int64_t groups = 1;
  while (groups * width < kSpreadLanes<Op>) groups *= 2;
  const std::int64_t panel_bytes = rows * width * kElementBytes<Op>;
  for (std::int64_t p = 0; p < count; ++p) {
    if (groups > 1 && rows >= 4 * groups) {
      ReduceNarrow<Op>(data + p * panel_bytes, rows, width, groups,
                       accumulators, p * width);
    } else {
      ReduceWide<Op>(data + p * panel_bytes, rows, width,
                     width * kElementBytes<Op>, accumulators, p * width);
    }
  }
}

// An Op whose lanes are what is kept.
template <class Derived>
struct KeepsItsLanes {
  static void Commit(std::byte* const* parts, std::int64_t count, const Source&,
                     std::byte* const* accumulators, std::int64_t index) {
    MergeLanes<Derived>(accumulators, index, parts, 0, count);
  }
};

template <class Op>
void MergeKept(std::byte* const* left, std::byte* const* right,
               std::int64_t count) {
  MergeLanes<Op>(left, 0, right, 0, count);
}

template <class Op>
constexpr Kernel KernelOf() {
  Kernel kernel{};
  kernel.components = Op::kParts;
  for (int c = 0; c < Op::kParts; ++c)
    kernel.component_bytes[c] = kLaneBytes<Op>;
  kernel.clear = &ClearLanes<Op>;
  kernel.reduce = &ReducePanels<Op>;
  kernel.merge = &MergeKept<Op>;
  return kernel;
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
