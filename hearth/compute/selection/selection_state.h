#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/compute/operation.h"

namespace hearth {

// The bins of an interval of float keys on both sides of zero: of the same
// width in values, not in keys. (Most keys there belong to values so near to
// zero that hardly an element has one.)
class LinearBins {
 public:
  // Requires that CanDivide().
  LinearBins(std::int64_t lo, std::uint64_t width, std::int32_t bins_log2)
      : lo_(ValueOf(lo)),
        last_((std::int64_t{1} << bins_log2) - 1),
        per_unit_(static_cast<double>(last_ + 1) /
                  (ValueOf(HighOf(lo, width)) - lo_)) {}

  static bool CanDivide(std::int64_t lo, std::uint64_t width) {
    const std::int64_t hi = HighOf(lo, width);
    const double difference = ValueOf(hi) - ValueOf(lo);
    // Far enough from both ends that per_unit_ is a normal number.
    return lo < 0 && hi > 0 && difference >= 1e-290 && difference <= 1e300;
  }

  // Ascending with the key. Requires a key of the interval.
  std::int64_t BinOf(std::int64_t key) const {
    const auto bin =
        static_cast<std::int64_t>((ValueOf(key) - lo_) * per_unit_);
    return bin < last_ ? bin : last_;
  }

 private:
  static std::int64_t HighOf(std::int64_t lo, std::uint64_t width) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(lo) + width);
  }
  static double ValueOf(std::int64_t key) {
    return std::bit_cast<double>(key ^ ((key >> 63) & INT64_MAX));
  }

  double lo_;
  std::int64_t last_;
  double per_unit_;
};

// What a selection's next pass looks for, in every lane: elements in up to
// `slots` disjoint intervals of keys, [lo, lo + width]: ascending, those unused
// last.
//
// Arrays of slots are [slots][lanes], so that lanes side by side are read side
// by side. Arrays of ranks are [lanes][ranks_max].
//
// Kind: value. Broadcast to other processes: Parse() believes nothing.
struct SelectionState {
  // As shifts: no interval; bins that are LinearBins.
  static constexpr std::uint8_t kUnused = 255;
  static constexpr std::uint8_t kLinear = 64;

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
  // The last key of the interval at that index.
  std::int64_t HighAt(std::size_t at) const {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(lo[at]) +
                                     width[at]);
  }
  std::size_t RankIndex(std::int64_t lane, std::size_t rank) const {
    return static_cast<std::size_t>(lane * ranks_max) + rank;
  }

  // As many as that many intervals are given.
  static std::int32_t BinsLog2For(std::int64_t intervals);

  Bytes Serialize() const;
  // INTERNAL when a size or a field is none that Serialize() writes, the lanes
  // are others, or there may be more slots or other than `ranks` ranks a lane.
  static absl::StatusOr<SelectionState> Parse(std::span<const std::byte> bytes,
                                              std::int64_t lanes,
                                              std::int32_t ranks);
};

}  // namespace hearth
