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

template <class Op>
void ClearLanes(std::byte* const* parts, std::int64_t count) {
  for (int c = 0; c < Op::kParts; ++c) {
    const typename Op::Lane nothing = Op::kNothing[c];
    for (std::int64_t k = 0; k < count; ++k) {
      __builtin_memcpy(parts[c] + k * kLaneBytes<Op>, &nothing,
                       sizeof(nothing));
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

// Lanes [index, index + N * kVectors) take in `rows` rows, one after another.
template <class Op, int N, int kVectors>
inline void AddChunk(const std::byte* data, std::int64_t rows,
                     std::int64_t stride_bytes, std::byte* const* parts,
                     std::int64_t index) {
  Lanes<Op, N> lanes[kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v)
    lanes[v] = LoadLanes<Op, N>(parts, index + v * N);
  for (std::int64_t i = 0; i < rows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      Op::template Add<N>(lanes[v], data + v * N * kElementBytes<Op>);
    data += stride_bytes;
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v)
    StoreLanes<Op, N>(lanes[v], parts, index + v * N);
}

// As many registers of lanes as one pass keeps: sixteen registers have to hold
// them and what adding needs.
template <class Op>
inline constexpr int kChunkVectors = Op::kParts == 1 ? 8 : 4;

// Lanes [0, width) take in `rows` rows of `width` elements, each `stride_bytes`
// after the one before. Each lane sees its rows in order, whatever the tiles.
template <class Op>
void AddRows(const std::byte* data, std::int64_t rows, std::int64_t width,
             std::int64_t stride_bytes, std::byte* const* parts) {
  constexpr int kN = kRegisterLanes<typename Op::Lane>;
  constexpr int kChunk = kN * kChunkVectors<Op>;
  // Rows whose chunks are walked side by side: enough to pay for loading and
  // storing the lanes, few enough for the processor's prefetchers.
  const std::int64_t tile = width <= kChunk ? rows : 16;
  for (std::int64_t done = 0; done < rows; done += tile) {
    const std::int64_t now = done + tile < rows ? tile : rows - done;
    std::int64_t k = 0;
    for (; k + kChunk <= width; k += kChunk) {
      AddChunk<Op, kN, kChunkVectors<Op>>(data + k * kElementBytes<Op>, now,
                                          stride_bytes, parts, k);
    }
    for (; k + kN <= width; k += kN) {
      AddChunk<Op, kN, 1>(data + k * kElementBytes<Op>, now, stride_bytes,
                          parts, k);
    }
    for (; k < width; ++k) {
      AddChunk<Op, 1, 1>(data + k * kElementBytes<Op>, now, stride_bytes, parts,
                         k);
    }
    data += now * stride_bytes;
  }
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
