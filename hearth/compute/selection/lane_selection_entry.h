// What partials of a selection are made of. Both kinds begin with a header that
// says which it is, since Combine() is not told the pass.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hearth/compute/selection/lane_selection.h"

namespace hearth {

struct SelectionPartialHeader {
  static constexpr std::uint32_t kEntries = 0x31544e45;   // "ENT1"
  static constexpr std::uint32_t kCounters = 0x31544e43;  // "CNT1"

  std::uint32_t kind = 0;
  std::uint32_t counter_bytes = 0;  // 4 or 8
  // kCounters: least[lanes], greatest[lanes], then the counters.
  std::int64_t lanes = 0;
  std::int64_t counters = 0;
  std::int64_t reserved = 0;
};
static_assert(sizeof(SelectionPartialHeader) == 32);

// An element that was sampled or collected.
struct LaneSelection::Entry {
  std::int64_t key;
  std::uint32_t lane;
  std::uint32_t slot;
};

struct LaneSelection::Opened {
  SelectionState state;
  // Where there are many slots: how many of each lane's are used, and where
  // their intervals begin, [lanes][slots].
  std::vector<std::int32_t> used;
  std::vector<std::int64_t> lo_by_lane;
};

struct LaneSelection::Groups {
  std::int64_t slots = 1;
  std::vector<std::int64_t> begins;  // of each group, and the end of all
  std::vector<std::int64_t> keys;

  std::size_t IndexOf(std::int64_t lane, std::int64_t slot) const {
    return static_cast<std::size_t>(lane * slots + slot);
  }
  std::span<std::int64_t> Of(std::int64_t lane, std::int64_t slot) {
    const std::size_t group = IndexOf(lane, slot);
    return {keys.begin() + begins[group], keys.begin() + begins[group + 1]};
  }
};

struct LaneSelection::Interval {
  std::int64_t lo;
  std::uint64_t width;
  std::int64_t base;
  std::int64_t inside;

  std::int64_t hi() const {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(lo) + width);
  }
};

namespace selection_limits {

// Entries of a partial, 16 bytes each: a sample, and what is collected.
inline constexpr std::int64_t kSampleEntries = 1 << 20;
inline constexpr std::int64_t kCollectEntries = 1 << 21;
// A lane alone needs no larger sample: 16,384 find a rank to 2 % of the lane.
inline constexpr std::int64_t kSampleOfLane = 1 << 14;
// Counters of a partial: as many as stay in a second-level cache, where lanes
// are few enough; with 16 a lane, at most 32 MiB of them.
inline constexpr std::int64_t kCountersAimedAt = 1 << 19;
inline constexpr std::int64_t kCountersMax = 1 << 23;
inline constexpr std::int64_t kBinsMin = 16;
inline constexpr int kBinsLog2Max = 16;
// Keys are compared with each of a lane's intervals, up to so many; with more,
// a key's own is found by halving.
inline constexpr std::int32_t kSlotsOneByOne = 128;

}  // namespace selection_limits
}  // namespace hearth
