#include "hearth/compute/selection/selection_state.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/compute/selection/lane_selection_entry.h"

namespace hearth {
namespace {

// Before the arrays.
struct Header {
  std::int64_t lanes;
  std::int32_t slots;
  std::int32_t bins_log2;
  std::int32_t ranks_max;
  std::uint8_t collect;
  std::uint8_t first;
  std::uint8_t reserved[2];
};
static_assert(sizeof(Header) == 24);

constexpr std::int64_t kLanesMax = 1 << 24;
constexpr std::int32_t kSlotsMax = 1 << 20;

// Calls visit(array) for each of the arrays, in the order they are written.
template <class State, class Visit>
void ForEachArray(State& state, Visit&& visit) {
  visit(state.lo);
  visit(state.width);
  visit(state.base);
  visit(state.inside);
  visit(state.least);
  visit(state.greatest);
  visit(state.key);
  visit(state.shift);
  visit(state.found);
}

absl::Status Bad(absl::string_view finding) {
  return Error(Reason::kInternal,
               absl::StrCat("read the state of a selection: ", finding));
}

}  // namespace

void SelectionState::Resize(std::int64_t lane_count, std::int32_t slot_count,
                            std::int32_t rank_count) {
  lanes = lane_count;
  slots = slot_count;
  ranks_max = rank_count;
  const auto in_slots = static_cast<std::size_t>(lanes * slots);
  const auto in_ranks = static_cast<std::size_t>(lanes * ranks_max);
  lo.assign(in_slots, INT64_MAX);
  width.assign(in_slots, 0);
  shift.assign(in_slots, kUnused);
  base.assign(in_slots, 0);
  inside.assign(in_slots, 0);
  least.resize(static_cast<std::size_t>(lanes), INT64_MAX);
  greatest.resize(static_cast<std::size_t>(lanes), INT64_MIN);
  found.resize(in_ranks, 0);
  key.resize(in_ranks, 0);
}

std::int32_t SelectionState::BinsLog2For(std::int64_t intervals) {
  using namespace selection_limits;  // NOLINT: the room's own constants
  const std::int64_t each = std::max(
      kCountersAimedAt / std::max<std::int64_t>(intervals, 1), kBinsMin);
  return std::min(
      static_cast<int>(std::bit_width(static_cast<std::uint64_t>(each))) - 1,
      kBinsLog2Max);
}

Bytes SelectionState::Serialize() const {
  const Header header{lanes, slots, bins_log2, ranks_max, collect, first, {}};
  std::size_t bytes = sizeof(header);
  ForEachArray(*this, [&](const auto& array) {
    bytes += array.size() * sizeof(array[0]);
  });
  Bytes to(bytes);
  std::memcpy(to.data(), &header, sizeof(header));
  std::size_t at = sizeof(header);
  ForEachArray(*this, [&](const auto& array) {
    const std::size_t length = array.size() * sizeof(array[0]);
    if (length != 0) std::memcpy(to.data() + at, array.data(), length);
    at += length;
  });
  return to;
}

absl::StatusOr<SelectionState> SelectionState::Parse(
    std::span<const std::byte> bytes, std::int64_t lanes, std::int32_t ranks) {
  Header header;
  if (bytes.size() < sizeof(header)) return Bad("it has no header");
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.lanes != lanes || lanes > kLanesMax || header.slots < 1 ||
      header.slots > ranks || ranks > kSlotsMax || header.ranks_max != ranks ||
      header.bins_log2 != BinsLog2For(lanes * header.slots) ||
      header.collect > 1 || header.first > 1 ||
      (header.collect == 1 && header.first == 1)) {
    return Bad("a field of its header is out of bounds");
  }
  // Against the bytes that are there, before anything is allocated. None of
  // these products overflows: the factors are bounded above.
  const std::int64_t slot_bytes = 4 * 8 + 1, lane_bytes = 2 * 8,
                     rank_bytes = 8 + 1;
  const std::int64_t expected =
      static_cast<std::int64_t>(sizeof(header)) +
      lanes * (header.slots * slot_bytes + lane_bytes +
               header.ranks_max * rank_bytes);
  if (expected != static_cast<std::int64_t>(bytes.size())) {
    return Bad("it has another size than it says");
  }

  SelectionState state;
  state.bins_log2 = header.bins_log2;
  state.collect = header.collect != 0;
  state.first = header.first != 0;
  state.Resize(header.lanes, header.slots, header.ranks_max);
  std::size_t at = sizeof(header);
  ForEachArray(state, [&](auto& array) {
    const std::size_t length = array.size() * sizeof(array[0]);
    if (length != 0) std::memcpy(array.data(), bytes.data() + at, length);
    at += length;
  });
  for (std::size_t i = 0; i < state.shift.size(); ++i) {
    const std::uint8_t shift = state.shift[i];
    if (shift == kUnused) continue;
    if (i >= static_cast<std::size_t>(lanes)) {
      const std::size_t before = i - static_cast<std::size_t>(lanes);
      if (state.shift[before] == kUnused ||
          state.lo[i] <= state.HighAt(before)) {
        return Bad("its intervals are in no order");
      }
    }
    if (state.HighAt(i) < state.lo[i]) return Bad("an interval has no end");
    if (shift == kLinear && state.first &&
        LinearBins::CanDivide(state.lo[i], state.width[i])) {
      continue;
    }
    if (shift > 63 ||
        (!state.collect && state.width[i] >> shift >> state.bins_log2 != 0)) {
      return Bad("an interval has more than its bins");
    }
  }
  return state;
}

}  // namespace hearth
