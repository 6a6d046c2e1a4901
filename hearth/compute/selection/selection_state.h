#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/compute/operation.h"

namespace hearth {

// What a selection's next pass looks for, in every lane: elements in up to
// `slots` disjoint intervals of keys, [lo, lo + width].
//
// Arrays of slots are [slots][lanes], so that lanes side by side are read side
// by side. Arrays of ranks are [lanes][ranks_max].
//
// Kind: value. Broadcast to other processes: Parse() believes nothing.
struct SelectionState {
  static constexpr std::uint8_t kUnused = 255;  // as a shift: no interval

  std::int64_t lanes = 0;
  std::int32_t slots = 0;
  std::int32_t bins_log2 = 0;  // of a histogram
  std::int32_t ranks_max = 0;
  bool collect = false;  // the elements themselves; else count them in bins
  bool first = false;    // base, inside, least, greatest are not known yet

  std::vector<std::int64_t> lo;
  std::vector<std::uint64_t> width;
  std::vector<std::uint8_t> shift;   // bin of a key: (key - lo) >> shift
  std::vector<std::int64_t> base;    // elements below lo
  std::vector<std::int64_t> inside;  // elements in the interval

  std::vector<std::int64_t> least;     // key, a lane
  std::vector<std::int64_t> greatest;  // key, a lane
  std::vector<std::uint8_t> found;     // whether the rank's key is known
  std::vector<std::int64_t> key;

  // Empty arrays for that many; `first` and `collect` stay as they are.
  void Resize(std::int64_t lane_count, std::int32_t slot_count,
              std::int32_t rank_count);
  std::size_t SlotIndex(std::int32_t slot, std::int64_t lane) const {
    return static_cast<std::size_t>(slot * lanes + lane);
  }
  std::size_t RankIndex(std::int64_t lane, std::size_t rank) const {
    return static_cast<std::size_t>(lane * ranks_max) + rank;
  }

  Bytes Serialize() const;
  // INTERNAL when a size or a field is none that Serialize() writes, or the
  // lanes are others.
  static absl::StatusOr<SelectionState> Parse(std::span<const std::byte> bytes,
                                              std::int64_t lanes);
};

}  // namespace hearth
