// Accumulators side by side: clearing, adding rows of elements, joining.
//
// An Op says what is done to one vector of lanes:
//   Element            how elements lie in memory (simd.h)
//   Lane, kParts       an accumulator is kParts values of type Lane
//   kNothing[kParts]   the accumulator of no elements
//   Add<N>(lanes, at)  adds N elements that lie at `at` to N lanes
//   Merge<N>(left, right)
#pragma once

#include "hearth/compute/kernels/variants/simd.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {

template <class Op, int N>
struct Lanes {
  Vector<typename Op::Lane, N> part[Op::kParts];
};

template <class Op>
inline constexpr int kElementBytes =
    static_cast<int>(sizeof(typename Op::Element::Stored));
template <class Op>
inline constexpr int kLaneBytes = static_cast<int>(sizeof(typename Op::Lane));

template <class Op, int N>
[[gnu::always_inline]] inline Lanes<Op, N> LoadLanes(std::byte* const* parts,
                                                     std::int64_t index) {
  Lanes<Op, N> lanes;
  for (int c = 0; c < Op::kParts; ++c) {
    lanes.part[c] =
        LoadRaw<typename Op::Lane, N>(parts[c] + index * kLaneBytes<Op>);
  }
  return lanes;
}

template <class Op, int N>
[[gnu::always_inline]] inline void StoreLanes(const Lanes<Op, N>& lanes,
                                              std::byte* const* parts,
                                              std::int64_t index) {
  for (int c = 0; c < Op::kParts; ++c) {
    StoreRaw<typename Op::Lane, N>(parts[c] + index * kLaneBytes<Op>,
                                   lanes.part[c]);
  }
}

// All but the last parts that Op says adding never changes.
template <class Op>
constexpr int ChangingParts() {
  if constexpr (requires { Op::kChangingParts; }) {
    return Op::kChangingParts;
  } else {
    return Op::kParts;
  }
}

// After adding.
template <class Op, int N>
[[gnu::always_inline]] inline void StoreChanged(const Lanes<Op, N>& lanes,
                                                std::byte* const* parts,
                                                std::int64_t index) {
  for (int c = 0; c < ChangingParts<Op>(); ++c) {
    StoreRaw<typename Op::Lane, N>(parts[c] + index * kLaneBytes<Op>,
                                   lanes.part[c]);
  }
}

template <class Op>
void ClearLanes(std::byte* const* parts, std::int64_t count) {
  constexpr int kN = kRegisterLanes<typename Op::Lane>;
  for (int c = 0; c < Op::kParts; ++c) {
    const auto nothing = Broadcast<typename Op::Lane, kN>(Op::kNothing[c]);
    std::int64_t k = 0;
    for (; k + kN <= count; k += kN) {
      StoreRaw<typename Op::Lane, kN>(parts[c] + k * kLaneBytes<Op>, nothing);
    }
    for (; k < count; ++k) {
      StoreRaw<typename Op::Lane, 1>(parts[c] + k * kLaneBytes<Op>,
                                     Op::kNothing[c]);
    }
  }
}

// left[begin, begin + count) takes in right[from, from + count).
template <class Op>
void MergeLanes(std::byte* const* left, std::int64_t begin,
                std::byte* const* right, std::int64_t from,
                std::int64_t count) {
  constexpr int kN = kRegisterLanes<typename Op::Lane>;
  std::int64_t k = 0;
  for (; k + kN <= count; k += kN) {
    auto lanes = LoadLanes<Op, kN>(left, begin + k);
    Op::template Merge<kN>(lanes, LoadLanes<Op, kN>(right, from + k));
    StoreLanes<Op, kN>(lanes, left, begin + k);
  }
  for (; k < count; ++k) {
    auto lane = LoadLanes<Op, 1>(left, begin + k);
    Op::template Merge<1>(lane, LoadLanes<Op, 1>(right, from + k));
    StoreLanes<Op, 1>(lane, left, begin + k);
  }
}

// How far behind the rows at hand lines are asked for: beyond the next page, so
// that its address is translated in time; not so far that the processor's own
// prefetchers are disturbed. Measured on an AMD Zen 4, a row at a time: 4 KiB
// 17 GB/s, 5 to 7 KiB 20 to 24, 16 KiB 18. An Intel Sapphire Rapids reads a
// stream at 12.3 GB/s with them and at 9.5 without.
inline constexpr std::int64_t kAheadBytes = 5 * 1024;

// Lanes [index, index + N * kVectors) take in `rows` rows, one after another.
template <class Op, int N, int kVectors>
inline void AddChunk(const std::byte* data, std::int64_t rows,
                     std::int64_t stride_bytes, std::byte* const* parts,
                     std::int64_t index) {
  Lanes<Op, N> lanes[kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v)
    lanes[v] = LoadLanes<Op, N>(parts, index + v * N);
  constexpr int kRowBytes = N * kVectors * kElementBytes<Op>;
  const std::int64_t distance = kAheadBytes / kRowBytes * stride_bytes;
  for (std::int64_t i = 0; i < rows; ++i) {
#pragma GCC unroll 8
    for (int ahead = 0; ahead < kRowBytes; ahead += 64)
      __builtin_prefetch(data + distance + ahead, 0, 2);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      Op::template Add<N>(lanes[v], data + v * N * kElementBytes<Op>);
    data += stride_bytes;
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v)
    StoreChanged<Op, N>(lanes[v], parts, index + v * N);
}

// All lanes take in kRows rows, side by side: several rows pay for loading and
// storing the lanes. But interleaved rows are what prefetchers follow badly, so
// the next kRows rows, which begin at `next`, are asked for meanwhile, one row
// after another. Into the second cache: the first is too small to wait in.
template <class Op, int kRows>
inline void AddRowGroup(const std::byte* data, std::int64_t width,
                        std::int64_t stride_bytes, std::byte* const* parts,
                        const std::byte* next) {
  constexpr int kN = kRegisterLanes<typename Op::Lane>;
  constexpr int kStep = kRows * kN * kElementBytes<Op>;
  const auto add = [&](std::int64_t at, const std::byte* line)
      __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int ahead = 0; ahead < kStep; ahead += 64)
      __builtin_prefetch(line + ahead, 0, 2);
    auto lanes = LoadLanes<Op, kN>(parts, at);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      Op::template Add<kN>(lanes,
                           data + r * stride_bytes + at * kElementBytes<Op>);
    }
    StoreChanged<Op, kN>(lanes, parts, at);
  };
  std::int64_t k = 0;
  if (stride_bytes == width * kElementBytes<Op>) {  // no gaps: one long row
    for (; k + kN <= width; k += kN)
      add(k, next + k * kRows * kElementBytes<Op>);
    // Every line: a stream with holes looks like none (half the speed).
    for (std::int64_t at = k * kRows * kElementBytes<Op>;
         at < kRows * stride_bytes; at += 64) {
      __builtin_prefetch(next + at, 0, 2);
    }
  } else {
    const std::int64_t steps = width / kN;
    for (int asked = 0; asked < kRows; ++asked) {
      const std::int64_t end = steps * (asked + 1) / kRows * kN;
      const std::byte* line = next + asked * stride_bytes;
      for (; k < end; k += kN, line += kStep) add(k, line);
    }
  }
  for (; k < width; ++k) {
    auto lane = LoadLanes<Op, 1>(parts, k);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      Op::template Add<1>(lane,
                          data + r * stride_bytes + k * kElementBytes<Op>);
    }
    StoreChanged<Op, 1>(lane, parts, k);
  }
}

// AddRows, kRows rows at a time.
template <class Op, int kRows>
inline void AddRowGroups(const std::byte* data, std::int64_t rows,
                         std::int64_t width, std::int64_t stride_bytes,
                         std::byte* const* parts, const std::byte* after) {
  // Rows without gaps are one long one, asked for at a distance that gives
  // memory the time it takes.
  const bool gaps = stride_bytes != width * kElementBytes<Op>;
  const std::int64_t group = kRows * stride_bytes;
  const std::int64_t distance = group + kAheadBytes;
  std::int64_t i = 0;
  for (; i + kRows <= rows; i += kRows) {
    const std::byte* from = data + i * stride_bytes;
    const std::byte* next = i + kRows < rows ? from + group : after;
    AddRowGroup<Op, kRows>(from, width, stride_bytes, parts,
                           gaps ? next : from + distance);
  }
  for (; i < rows; ++i) {
    const std::byte* from = data + i * stride_bytes;
    const std::byte* next = i + 1 < rows ? from + stride_bytes : after;
    AddRowGroup<Op, 1>(from, width, stride_bytes, parts,
                       gaps ? next : from + distance);
  }
}

// Lanes [0, width) take in `rows` rows of `width` elements, each `stride_bytes`
// after the one before. Each lane sees its rows in order, however they are
// grouped. `after`: rows that will be read next, with the same stride; asked
// for in time.
template <class Op>
void AddRows(const std::byte* data, std::int64_t rows, std::int64_t width,
             std::int64_t stride_bytes, std::byte* const* parts,
             const std::byte* after) {
  constexpr int kN = kRegisterLanes<typename Op::Lane>;
  // What sixteen registers hold beside the work of adding.
  constexpr int kVectors = Op::kParts == 1 ? 8 : 4;
  if (width == kN * kVectors)
    return AddChunk<Op, kN, kVectors>(data, rows, stride_bytes, parts, 0);
  if (width == kN * kVectors / 2)
    return AddChunk<Op, kN, kVectors / 2>(data, rows, stride_bytes, parts, 0);
  // Rows that share a load and a store of the lanes are interleaved. Where an
  // addition is little more than those, memory's own order is worth more:
  // without gaps, and where rows of 8 bytes have one part a lane.
  constexpr bool kIsWide = kElementBytes<Op> == 8;
  constexpr bool kIsLight = Op::kParts == 1 && kElementBytes<Op> >= 4;
  if ((kIsLight && kIsWide) ||
      ((kIsLight || kIsWide) && stride_bytes == width * kElementBytes<Op>)) {
    return AddRowGroups<Op, 1>(data, rows, width, stride_bytes, parts, after);
  }
  AddRowGroups<Op, 4>(data, rows, width, stride_bytes, parts, after);
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
