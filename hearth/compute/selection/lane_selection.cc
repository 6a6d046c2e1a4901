#include "hearth/compute/selection/lane_selection.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/compute/kernels/selection.h"
#include "hearth/compute/selection/lane_quantiles.h"
#include "hearth/compute/selection/lane_selection_entry.h"

namespace hearth {
namespace {

using namespace selection_limits;  // NOLINT: the room's own constants

// How many standard deviations around a place of the sample are looked at: a
// rank outside costs a pass, in one of two million cases.
constexpr double kDeviations = 5;
// A job has work for this many threads before a leaf grows.
constexpr std::int64_t kLaneLeavesMin = 16;
// Adding a counter costs less than finding two elements; 2 % of that.
constexpr std::int64_t kElementsPerCounter = 64;

absl::Status Changed() {
  return Error(Reason::kFileChanged,
               "select elements by their rank: two passes over the matrix "
               "counted differently; was it changed meanwhile? Run it again");
}

// The least shift that brings width into the bins.
std::uint8_t ShiftFor(std::uint64_t width, std::int32_t bins_log2) {
  return static_cast<std::uint8_t>(
      std::max(0, static_cast<int>(std::bit_width(width)) - bins_log2));
}

std::uint64_t Width(std::int64_t lo, std::int64_t hi) {
  return static_cast<std::uint64_t>(hi) - static_cast<std::uint64_t>(lo);
}

struct KeyRange {
  std::int64_t lo;
  std::int64_t hi;
};

// The keys of bin `bin` of an interval. Requires that it has one.
KeyRange BinRange(std::int64_t lo, std::uint64_t width, std::uint8_t shift,
                  std::int32_t bins_log2, std::int64_t bin) {
  const auto key = [lo](std::uint64_t offset) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(lo) + offset);
  };
  if (shift != SelectionState::kLinear) {
    const std::uint64_t from = static_cast<std::uint64_t>(bin) << shift;
    return {key(from),
            key(std::min(from + ((std::uint64_t{1} << shift) - 1), width))};
  }
  // Bins ascend with keys: the first key beyond those of lesser bins.
  const LinearBins bins(lo, width, bins_log2);
  const auto first_of = [&](std::int64_t wanted) {
    std::uint64_t from = 0;
    std::uint64_t to = width + 1;
    while (from < to) {
      const std::uint64_t middle = from + (to - from) / 2;
      if (bins.BinOf(key(middle)) < wanted) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    return from;
  };
  return {key(first_of(bin)), key(first_of(bin + 1) - 1)};
}

}  // namespace

LaneSelection::LaneSelection(const MatrixLayout& layout,
                             const std::vector<int>& axes, bool keepdims,
                             std::vector<double> q)
    : geometry_(layout, axes, keepdims, /*parts=*/1),
      partition_(layout),
      type_{layout.type, ByteOrder::kNative},
      q_(std::move(q)),
      element_count_(layout.element_count()),
      inner_(1),
      stride_(1) {
  std::vector<bool> kept(layout.shape.size(), true);
  for (const int axis : axes) kept[static_cast<std::size_t>(axis)] = false;
  if (layout.order == Order::kFortran) std::reverse(kept.begin(), kept.end());
  const Shape storage = layout.StorageShape();
  for (std::size_t i = storage.size();
       i > 0 && (kept[i - 1] || storage[i - 1] == 1); --i) {
    inner_ *= std::max<std::int64_t>(storage[i - 1], 1);
  }
  if (element_count_ <= kSampleEntries) return;
  const std::int64_t of_lane =
      std::clamp<std::int64_t>(kSampleEntries / lanes(), 1, kSampleOfLane);
  stride_ = std::max<std::int64_t>(2, elements() / of_lane);
}

bool LaneSelection::FitsIn(std::int64_t lanes, std::int64_t places) {
  return lanes <=
         kCountersMax / kBinsMin / 2 / std::max<std::int64_t>(places, 1);
}

bool LaneSelection::wide() const {
  return elements() > std::int64_t{UINT32_MAX};
}

std::int64_t LaneSelection::CounterCount(const SelectionState& state) const {
  return state.lanes * state.slots *
         ((std::int64_t{1} << state.bins_log2) + (state.first ? 1 : 0));
}

std::int64_t LaneSelection::CounterCountMax() const {
  const std::int64_t slots = lanes() * ranks_max();
  return std::min(std::max(kCountersAimedAt, slots * kBinsMin),
                  slots << kBinsLog2Max) +
         slots;
}

int LaneSelection::leaf_blocks_log2() const {
  const std::int64_t blocks = partition_.block_count();
  int log2 = 0;
  while (((element_count_ / blocks) << log2) <
             kElementsPerCounter * CounterCountMax() &&
         blocks >> (log2 + 1) >= kLaneLeavesMin) {
    ++log2;
  }
  return log2;
}

std::int64_t LaneSelection::partial_bytes_max() const {
  const auto entry = static_cast<std::int64_t>(sizeof(Entry));
  // A sample has a row more than its share at most.
  const std::int64_t sample = kSampleEntries + lanes() * 2;
  return static_cast<std::int64_t>(sizeof(SelectionPartialHeader)) +
         std::max({entry * std::min(element_count_, sample + kSampleEntries),
                   entry * std::min(element_count_, kCollectEntries),
                   16 * lanes() + CounterCountMax() * (wide() ? 8 : 4)});
}

absl::StatusOr<LaneSelection::Groups> LaneSelection::GroupsOf(
    std::span<const std::byte> partial, std::int32_t slots) const {
  SelectionPartialHeader header;
  if (partial.size() >= sizeof(header)) {
    std::memcpy(&header, partial.data(), sizeof(header));
    partial = partial.subspan(sizeof(header));
  }
  if (header.kind != SelectionPartialHeader::kEntries ||
      partial.size() % sizeof(Entry) != 0) {
    return Error(Reason::kInternal,
                 "read what a selection collected: it is no list of entries");
  }
  std::vector<Entry> entries(partial.size() / sizeof(Entry));
  if (!entries.empty()) {
    std::memcpy(entries.data(), partial.data(), partial.size());
  }
  Groups groups;
  groups.slots = slots;
  groups.begins.resize(static_cast<std::size_t>(lanes() * slots + 1));
  for (const Entry& entry : entries) {
    if (entry.lane >= static_cast<std::uint64_t>(lanes()) ||
        entry.slot >= static_cast<std::uint32_t>(slots)) {
      return Error(Reason::kInternal,
                   absl::StrCat("read what a selection collected: lane ",
                                entry.lane, " of ", lanes()));
    }
    ++groups.begins[groups.IndexOf(entry.lane, entry.slot)];
  }
  // Ends of groups, which each element of one moves down to its beginning.
  std::partial_sum(groups.begins.begin(), groups.begins.end(),
                   groups.begins.begin());
  groups.keys.resize(entries.size());
  for (const Entry& entry : entries) {
    const std::size_t group = groups.IndexOf(entry.lane, entry.slot);
    groups.keys[static_cast<std::size_t>(--groups.begins[group])] = entry.key;
  }
  return groups;
}

absl::StatusOr<LaneSelection::Outcome> LaneSelection::Finish(
    std::span<const std::byte> partial, std::span<const std::byte> state_bytes,
    const RanksOf& ranks_of) const {
  if (state_bytes.empty()) {
    HEARTH_ASSIGN_OR_RETURN(Groups sample, GroupsOf(partial, 1));
    return FinishSample(std::move(sample), ranks_of);
  }
  HEARTH_ASSIGN_OR_RETURN(
      SelectionState state,
      SelectionState::Parse(state_bytes, lanes(), ranks_max()));
  if (!state.collect) return FinishHistogram(partial, state, ranks_of);
  HEARTH_ASSIGN_OR_RETURN(Groups groups, GroupsOf(partial, state.slots));
  return FinishCollect(std::move(groups), std::move(state), ranks_of);
}

absl::StatusOr<LaneSelection::Outcome> LaneSelection::FinishSample(
    Groups sample, const RanksOf& ranks_of) const {
  SelectionState state;
  state.Resize(lanes(), 0, ranks_max());
  if (collects_all()) {
    if (std::ssize(sample.keys) != element_count_) return Changed();
    for (std::int64_t lane = 0; lane < lanes() && elements() > 0; ++lane) {
      const std::span<std::int64_t> keys = sample.Of(lane, 0);
      if (std::ssize(keys) != elements()) return Changed();
      const std::int64_t greatest = *std::max_element(keys.begin(), keys.end());
      state.greatest[static_cast<std::size_t>(lane)] = greatest;
      const Wanted wanted = ranks_of(lane, greatest);
      if (!wanted.ranks.empty() && wanted.ranks.back() >= elements()) {
        return Changed();
      }
      PlaceRanks(keys.data(), elements(), wanted.ranks);
      for (std::size_t i = 0; i < wanted.ranks.size(); ++i) {
        state.key[state.RankIndex(lane, i)] =
            keys[static_cast<std::size_t>(wanted.ranks[i])];
      }
    }
    Outcome outcome;
    outcome.found = std::move(state);
    return outcome;
  }
  std::vector<std::vector<Interval>> intervals(
      static_cast<std::size_t>(lanes()));
  for (std::int64_t lane = 0; lane < lanes(); ++lane) {
    std::span<std::int64_t> keys = sample.Of(lane, 0);
    if (IsFloat(type_.type)) {
      keys = keys.first(static_cast<std::size_t>(
          std::remove(keys.begin(), keys.end(), kernels::kNanKey) -
          keys.begin()));
    }
    auto& own = intervals[static_cast<std::size_t>(lane)];
    const std::int64_t count = std::ssize(keys);
    if (count == 0) {
      own.push_back({INT64_MIN, Width(INT64_MIN, kernels::kNanKey - 1), 0, 0});
      continue;
    }
    std::vector<std::int64_t> ranks;
    for (const double q : q_) {
      const double place = q * static_cast<double>(count - 1);
      const double around =
          kDeviations * std::sqrt(static_cast<double>(count) * q * (1 - q)) + 1;
      for (const double rank : {place - around, std::ceil(place + around)}) {
        ranks.push_back(std::clamp<std::int64_t>(
            static_cast<std::int64_t>(rank), 0, count - 1));
      }
    }
    std::vector<std::int64_t> ascending = ranks;
    std::sort(ascending.begin(), ascending.end());
    ascending.erase(std::unique(ascending.begin(), ascending.end()),
                    ascending.end());
    PlaceRanks(keys.data(), count, ascending);
    for (std::size_t i = 0; i < ranks.size(); i += 2) {
      const std::int64_t lo = keys[static_cast<std::size_t>(ranks[i])];
      const std::int64_t hi = keys[static_cast<std::size_t>(ranks[i + 1])];
      own.push_back({lo, Width(lo, hi), 0, 0});
    }
  }
  state.first = true;
  return NextPass(std::move(intervals), std::move(state));
}

LaneSelection::Outcome LaneSelection::NextPass(
    std::vector<std::vector<Interval>> intervals, SelectionState state) const {
  // Each lane's, merged where they touch: ascending and disjoint.
  std::size_t slots = 0;
  std::int64_t total = 0;
  for (auto& own : intervals) {
    std::sort(own.begin(), own.end(), [](const Interval& a, const Interval& b) {
      return a.lo != b.lo ? a.lo < b.lo : a.width < b.width;
    });
    std::size_t last = 0;
    for (std::size_t i = 1; i < own.size(); ++i) {
      Interval& to = own[last];
      const Interval& next = own[i];
      if (to.hi() == INT64_MAX || next.lo <= to.hi() + 1) {
        if (next.lo > to.hi()) to.inside += next.inside;
        to.width = Width(to.lo, std::max(to.hi(), next.hi()));
      } else {
        own[++last] = next;
      }
    }
    if (!own.empty()) own.resize(last + 1);
    slots = std::max(slots, own.size());
    for (const Interval& interval : own) total += interval.inside;
  }
  Outcome outcome;
  if (slots == 0) {
    outcome.found = std::move(state);
    return outcome;
  }
  state.collect = !state.first && total <= kCollectEntries;
  state.Resize(lanes(), static_cast<std::int32_t>(slots), state.ranks_max);
  state.bins_log2 =
      SelectionState::BinsLog2For(lanes() * static_cast<std::int64_t>(slots));
  for (std::int64_t lane = 0; lane < lanes(); ++lane) {
    const auto& own = intervals[static_cast<std::size_t>(lane)];
    for (std::size_t s = 0; s < own.size(); ++s) {
      const std::size_t at =
          state.SlotIndex(static_cast<std::int32_t>(s), lane);
      state.lo[at] = own[s].lo;
      state.width[at] = own[s].width;
      state.base[at] = own[s].base;
      state.inside[at] = own[s].inside;
      // Only once: halving values converges slowly where they are spread wide.
      state.shift[at] = state.first && IsFloat(type_.type) &&
                                LinearBins::CanDivide(own[s].lo, own[s].width)
                            ? SelectionState::kLinear
                            : ShiftFor(own[s].width, state.bins_log2);
    }
  }
  outcome.next_state = state.Serialize();
  return outcome;
}

absl::StatusOr<LaneSelection::Outcome> LaneSelection::FinishHistogram(
    std::span<const std::byte> partial, const SelectionState& state,
    const RanksOf& ranks_of) const {
  const std::int64_t counter_bytes = wide() ? 8 : 4;
  const auto in_lanes = static_cast<std::size_t>(lanes());
  if (partial.size() !=
      sizeof(SelectionPartialHeader) + 16 * in_lanes +
          static_cast<std::size_t>(CounterCount(state) * counter_bytes)) {
    return Error(Reason::kInternal,
                 "read what a selection counted: it has another size");
  }
  const std::byte* extremes = partial.data() + sizeof(SelectionPartialHeader);
  const std::byte* counters = extremes + 16 * in_lanes;
  const auto counter = [&](std::int64_t index) -> std::int64_t {
    std::uint64_t value = 0;
    std::memcpy(&value, counters + index * counter_bytes,
                static_cast<std::size_t>(counter_bytes));
    return static_cast<std::int64_t>(value);
  };
  SelectionState next = state;
  if (state.first) {
    std::memcpy(next.least.data(), extremes, 8 * in_lanes);
    std::memcpy(next.greatest.data(), extremes + 8 * in_lanes, 8 * in_lanes);
  }
  next.first = false;
  const std::int64_t bins = std::int64_t{1} << state.bins_log2;
  const std::int64_t bins_at = state.first ? lanes() * state.slots : 0;
  std::vector<std::vector<Interval>> intervals(in_lanes);

  for (std::int64_t lane = 0; lane < lanes(); ++lane) {
    const auto l = static_cast<std::size_t>(lane);
    const Wanted wanted = ranks_of(lane, next.greatest[l]);
    // The lane's intervals of this pass, with what lies below and in them now
    // known; and the gaps around them, where a rank lies that the sample
    // misjudged.
    std::vector<Interval> known;
    for (std::int32_t s = 0; s < state.slots; ++s) {
      const std::size_t at = state.SlotIndex(s, lane);
      if (state.shift[at] == SelectionState::kUnused) continue;
      Interval interval{state.lo[at], state.width[at], state.base[at], 0};
      if (state.first) {
        interval.base = counter(static_cast<std::int64_t>(at));
      }
      for (std::int64_t b = 0; b < bins; ++b) {
        interval.inside +=
            counter(bins_at + (lane * state.slots + s) * bins + b);
      }
      if (!state.first && interval.inside != state.inside[at]) {
        return Changed();
      }
      known.push_back(interval);
    }
    // Ranks ascend, and so do the interval, its bin and what lies below that.
    std::size_t s = 0;
    std::int64_t bin = 0;
    std::int64_t below = known.empty() ? 0 : known[0].base;
    for (std::size_t i = 0; i < wanted.ranks.size(); ++i) {
      const std::size_t rank_at = next.RankIndex(lane, i);
      if (i >= static_cast<std::size_t>(next.ranks_max)) {
        return Error(Reason::kInternal, "select: more ranks than places");
      }
      if (next.found[rank_at] != 0) continue;
      const std::int64_t rank = wanted.ranks[i];
      while (s < known.size() && known[s].base + known[s].inside <= rank) {
        ++s;
        bin = 0;
        below = s < known.size() ? known[s].base : 0;
      }
      Interval place{};
      if (s < known.size() && known[s].base <= rank) {
        const auto slot = static_cast<std::int32_t>(s);
        const auto inside = [&] {
          return counter(bins_at + (lane * state.slots + slot) * bins + bin);
        };
        while (bin < bins && below + inside() <= rank) {
          below += inside();
          ++bin;
        }
        if (bin == bins) return Changed();
        const KeyRange range = BinRange(
            known[s].lo, known[s].width,
            state.shift[state.SlotIndex(slot, lane)], state.bins_log2, bin);
        place = {range.lo, Width(range.lo, range.hi), below, inside()};
      } else {
        const bool lowest = s == 0;
        const bool highest = s == known.size();
        if (known.empty() || (!state.first && (lowest || highest))) {
          return Changed();
        }
        const std::int64_t greatest =
            IsFloat(type_.type)
                ? std::min(next.greatest[l], kernels::kNanKey - 1)
                : next.greatest[l];
        const std::int64_t lo = lowest ? next.least[l] : known[s - 1].hi() + 1;
        const std::int64_t hi = highest ? greatest : known[s].lo - 1;
        place.base = lowest ? 0 : known[s - 1].base + known[s - 1].inside;
        place.inside = (highest ? wanted.counted : known[s].base) - place.base;
        if (lo > hi || place.inside <= 0) return Changed();
        place.lo = lo;
        place.width = Width(lo, hi);
      }
      if (place.width == 0) {
        next.found[rank_at] = 1;
        next.key[rank_at] = place.lo;
      } else if (intervals[l].empty() || intervals[l].back().lo != place.lo) {
        intervals[l].push_back(place);
      }
    }
  }
  return NextPass(std::move(intervals), std::move(next));
}

absl::StatusOr<LaneSelection::Outcome> LaneSelection::FinishCollect(
    Groups groups, SelectionState state, const RanksOf& ranks_of) const {
  std::vector<std::int64_t> ranks;  // in a group
  for (std::int64_t lane = 0; lane < lanes(); ++lane) {
    const auto l = static_cast<std::size_t>(lane);
    const Wanted wanted = ranks_of(lane, state.greatest[l]);
    const auto is_found = [&](std::size_t i) -> std::uint8_t& {
      return state.found[state.RankIndex(lane, i)];
    };
    std::size_t i = 0;
    for (std::int32_t s = 0; s < state.slots; ++s) {
      const std::size_t slot = state.SlotIndex(s, lane);
      if (state.shift[slot] == SelectionState::kUnused) break;
      const std::span<std::int64_t> keys = groups.Of(lane, s);
      if (std::ssize(keys) != state.inside[slot]) return Changed();
      const std::int64_t end = state.base[slot] + state.inside[slot];
      const std::size_t first = i;
      ranks.clear();
      for (; i < wanted.ranks.size() && wanted.ranks[i] < end; ++i) {
        if (is_found(i) != 0) continue;
        if (wanted.ranks[i] < state.base[slot]) return Changed();
        ranks.push_back(wanted.ranks[i] - state.base[slot]);
      }
      PlaceRanks(keys.data(), std::ssize(keys), ranks);
      auto rank = ranks.begin();
      for (std::size_t k = first; k < i; ++k) {
        if (is_found(k) != 0) continue;
        is_found(k) = 1;
        state.key[state.RankIndex(lane, k)] =
            keys[static_cast<std::size_t>(*rank++)];
      }
    }
    for (i = 0; i < wanted.ranks.size(); ++i) {
      if (is_found(i) == 0) return Changed();
    }
  }
  Outcome outcome;
  outcome.found = std::move(state);
  return outcome;
}

}  // namespace hearth
