// A selection's work on one row block.
#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/compute/kernels/selection.h"
#include "hearth/compute/selection/lane_gather.h"
#include "hearth/compute/selection/lane_selection.h"
#include "hearth/compute/selection/lane_selection_entry.h"

namespace hearth {
namespace {

using kernels::kKeysAtOnce;

// Rows this wide have lanes enough to fill the kernels with one row.
constexpr std::int64_t kWideRow = kKeysAtOnce / 2;

// Some number in [0, below) that a window always has: spread well, so that
// data with a period are not sampled at one phase of it (splitmix64).
std::int64_t PlaceIn(std::int64_t window, std::int64_t below) {
  auto z = static_cast<std::uint64_t>(window) + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return static_cast<std::int64_t>(z % static_cast<std::uint64_t>(below));
}

}  // namespace

class LaneSelection::Pass {
 public:
  Pass(const LaneSelection& selection, const Opened& opened, std::byte* scratch,
       std::byte* partial)
      : selection_(selection),
        opened_(opened),
        state_(opened.state),
        lanes_(selection.lanes()),
        slots_(state_.slots),
        type_(selection.type_),
        bytes_(BytesOf(selection.type_.type)),
        kernels_(kernels::FindSelectionKernels()),
        keys_(reinterpret_cast<std::int64_t*>(scratch)),
        tile_least_(keys_ + kKeysAtOnce),
        tile_greatest_(tile_least_ + kKeysAtOnce),
        tile_lo_(tile_greatest_ + kKeysAtOnce),
        tile_width_(
            reinterpret_cast<std::uint64_t*>(tile_lo_ + slots_ * kKeysAtOnce)),
        hits_(reinterpret_cast<std::uint32_t*>(tile_width_ +
                                               slots_ * kKeysAtOnce)),
        lane_of_(hits_ + kKeysAtOnce),
        tile_below_(lane_of_ + kKeysAtOnce),
        below_(tile_below_ + slots_ * kKeysAtOnce) {
    if (partial == nullptr) return;
    least_ = reinterpret_cast<std::int64_t*>(partial +
                                             sizeof(SelectionPartialHeader));
    greatest_ = least_ + lanes_;
    counters_ = reinterpret_cast<std::byte*>(greatest_ + lanes_);
  }

  static std::int64_t ScratchBytes(std::int64_t lanes, std::int64_t slots) {
    return kKeysAtOnce * (8 * (3 + 2 * slots) + 4 * (2 + slots)) +
           4 * lanes * slots + 64;
  }

  // --- sample ---
  void Sample(const BlockView& view, std::vector<Entry>& entries) {
    const std::int64_t inner = selection_.inner_;
    const std::int64_t stride = selection_.stride_;
    selection_.geometry_.ForEachRun(
        view.block, [&](const ReductionGeometry::Run& run) {
          const std::int64_t first =
              (view.block.element_begin + run.offset) / inner;
          const std::int64_t rows = run.panels * run.rows;
          for (std::int64_t window = first / stride;
               window * stride < first + rows; ++window) {
            const std::int64_t row =
                window * stride + PlaceIn(window, stride) - first;
            if (row < 0 || row >= rows) continue;
            SampleRow(view.data + (run.offset + row * run.width) * bytes_,
                      run.output + row / run.rows * run.width, run.width,
                      entries);
          }
        });
  }

  // --- histogram, collect ---
  void Search(const BlockView& view, std::vector<Entry>* entries) {
    entries_ = entries;
    if (state_.first) std::fill_n(below_, lanes_ * slots_, 0u);
    selection_.geometry_.ForEachRun(
        view.block, [&](const ReductionGeometry::Run& run) {
          const std::byte* data = view.data + run.offset * bytes_;
          for (std::int64_t p = 0; p < run.panels; ++p) {
            const std::int64_t lane = run.output + p * run.width;
            if (slots_ > selection_limits::kSlotsOneByOne) {
              SearchByHalving(data, run.rows, run.width, lane);
            } else if (run.width == 1) {
              SearchLane(data, run.rows, lane);
            } else if (run.width < kWideRow) {
              SearchNarrowRows(data, run.rows, run.width, lane);
            } else {
              SearchWideRows(data, run.rows, run.width, lane);
            }
            data += run.rows * run.width * bytes_;
          }
        });
    if (!state_.first) return;
    if (slots_ > selection_limits::kSlotsOneByOne) {
      // Below an interval is what is below the one before it, and what is
      // between the two or in the latter.
      for (std::int64_t i = lanes_; i < lanes_ * slots_; ++i) {
        below_[i] += below_[i - lanes_];
      }
    }
    for (std::int64_t i = 0; i < lanes_ * slots_; ++i) {
      if (selection_.wide()) {
        reinterpret_cast<std::uint64_t*>(counters_)[i] += below_[i];
      } else {
        reinterpret_cast<std::uint32_t*>(counters_)[i] += below_[i];
      }
    }
  }

 private:
  void SampleRow(const std::byte* data, std::int64_t lane, std::int64_t width,
                 std::vector<Entry>& entries) {
    for (std::int64_t k = 0; k < width; k += kKeysAtOnce) {
      const std::int64_t now = std::min(kKeysAtOnce, width - k);
      MakeKeys(type_, data + k * bytes_, now, keys_);
      for (std::int64_t i = 0; i < now; ++i) {
        entries.push_back(
            {keys_[i], static_cast<std::uint32_t>(lane + k + i), 0});
      }
    }
  }

  // What the intervals of slot `slot` have of the keys: `lane_of` says whose
  // each is; all are `lane`'s if it is null.
  void TakeHits(std::int32_t slot, std::int64_t found,
                const std::uint32_t* lane_of, std::int64_t lane) {
    if (entries_ != nullptr) {
      Collect(slot, found, lane_of, lane);
    } else if (selection_.wide()) {
      CountHits<std::uint64_t>(slot, found, lane_of, lane);
    } else {
      CountHits<std::uint32_t>(slot, found, lane_of, lane);
    }
  }

  void Collect(std::int32_t slot, std::int64_t found,
               const std::uint32_t* lane_of, std::int64_t lane) {
    for (std::int64_t h = 0; h < found; ++h) {
      if (lane_of != nullptr) lane = lane_of[hits_[h]];
      // An unused interval has the greatest key there is, which exists.
      if (state_.shift[state_.SlotIndex(slot, lane)] ==
          SelectionState::kUnused) {
        continue;
      }
      entries_->push_back({keys_[hits_[h]], static_cast<std::uint32_t>(lane),
                           static_cast<std::uint32_t>(slot)});
    }
  }

  template <class Counter>
  void CountHits(std::int32_t slot, std::int64_t found,
                 const std::uint32_t* lane_of, std::int64_t lane) {
    auto* counters = reinterpret_cast<Counter*>(counters_) +
                     (state_.first ? lanes_ * slots_ : 0) +
                     (std::int64_t{slot} << state_.bins_log2);
    const std::int64_t step = std::int64_t{slots_} << state_.bins_log2;
    for (std::int64_t h = 0; h < found; ++h) {
      if (lane_of != nullptr) lane = lane_of[hits_[h]];
      const std::int64_t bin =
          BinOf(state_.SlotIndex(slot, lane), keys_[hits_[h]]);
      if (bin >= 0) ++counters[lane * step + bin];
    }
  }

  // -1 of an unused interval; see Collect.
  std::int64_t BinOf(std::size_t at, std::int64_t key) const {
    const std::int64_t lo = state_.lo[at];
    const std::uint8_t shift = state_.shift[at];
    if (shift < SelectionState::kLinear) {
      return static_cast<std::int64_t>(
          (static_cast<std::uint64_t>(key) - static_cast<std::uint64_t>(lo)) >>
          shift);
    }
    return shift == SelectionState::kLinear
               ? LinearBins(lo, state_.width[at], state_.bins_log2).BinOf(key)
               : -1;
  }

  // Each key by itself, of rows of any width.
  void SearchByHalving(const std::byte* data, std::int64_t rows,
                       std::int64_t width, std::int64_t first_lane) {
    std::int64_t column = 0;
    for (std::int64_t i = 0; i < rows * width; i += kKeysAtOnce) {
      const std::int64_t now = std::min(kKeysAtOnce, rows * width - i);
      MakeKeys(type_, data + i * bytes_, now, keys_);
      for (std::int64_t k = 0; k < now; ++k) {
        SearchKey(k, first_lane + column);
        if (++column == width) column = 0;
      }
    }
  }

  void SearchKey(std::int64_t k, std::int64_t lane) {
    const std::int64_t key = keys_[k];
    if (state_.first) {
      least_[lane] = std::min(least_[lane], key);
      greatest_[lane] = std::max(greatest_[lane], key);
    }
    // Intervals that begin after the key, without a branch to be guessed.
    const std::int64_t* lo = opened_.lo_by_lane.data() + lane * slots_;
    const std::int32_t used = opened_.used[static_cast<std::size_t>(lane)];
    std::int32_t begun = 0;
    for (std::int32_t left = used; left > 0;) {
      const std::int32_t half = left / 2;
      begun += lo[begun + half] <= key ? left - half : 0;
      left = half;
    }
    if (state_.first && begun < used) ++below_[begun * lanes_ + lane];
    if (begun == 0) return;
    const std::int32_t slot = begun - 1;
    const std::size_t at = state_.SlotIndex(slot, lane);
    if (key > state_.HighAt(at)) return;
    hits_[0] = static_cast<std::uint32_t>(k);
    TakeHits(slot, 1, nullptr, lane);
  }

  void SearchLane(const std::byte* data, std::int64_t count,
                  std::int64_t lane) {
    for (std::int64_t i = 0; i < count; i += kKeysAtOnce) {
      const std::int64_t now = std::min(kKeysAtOnce, count - i);
      MakeKeys(type_, data + i * bytes_, now, keys_);
      if (state_.first) {
        kernels_.extremes_along(keys_, now, least_ + lane, greatest_ + lane);
      }
      for (std::int32_t s = 0; s < slots_; ++s) {
        const std::size_t at = state_.SlotIndex(s, lane);
        if (state_.shift[at] == SelectionState::kUnused) continue;
        std::int64_t below = 0;
        const std::int64_t found = kernels_.find_along(
            keys_, state_.lo[at], state_.width[at], now, &below, hits_);
        if (state_.first) below_[at] += static_cast<std::uint32_t>(below);
        TakeHits(s, found, nullptr, lane);
      }
    }
  }

  void SearchWideRows(const std::byte* data, std::int64_t rows,
                      std::int64_t width, std::int64_t lane) {
    for (std::int64_t k = 0; k < width; k += kKeysAtOnce) {
      const std::int64_t now = std::min(kKeysAtOnce, width - k);
      for (std::int64_t i = 0; i < now; ++i) {
        lane_of_[i] = static_cast<std::uint32_t>(lane + k + i);
      }
      for (std::int64_t row = 0; row < rows; ++row) {
        MakeKeys(type_, data + (row * width + k) * bytes_, now, keys_);
        if (state_.first) {
          kernels_.extremes_across(keys_, now, least_ + lane + k,
                                   greatest_ + lane + k);
        }
        for (std::int32_t s = 0; s < slots_; ++s) {
          const std::size_t at = state_.SlotIndex(s, lane + k);
          const std::int64_t found = kernels_.find_across(
              keys_, state_.lo.data() + at, state_.width.data() + at, now,
              state_.first ? below_ + at : nullptr, hits_);
          TakeHits(s, found, lane_of_, 0);
        }
      }
    }
  }

  // As many rows at once as the kernels take: their lanes' intervals are
  // repeated beside one another.
  void SearchNarrowRows(const std::byte* data, std::int64_t rows,
                        std::int64_t width, std::int64_t lane) {
    const std::int64_t together = std::min(rows, kKeysAtOnce / width);
    const std::int64_t tile = together * width;
    for (std::int64_t i = 0; i < tile; ++i) {
      lane_of_[i] = static_cast<std::uint32_t>(lane + i % width);
      tile_least_[i] = INT64_MAX;
      tile_greatest_[i] = INT64_MIN;
      for (std::int32_t s = 0; s < slots_; ++s) {
        const std::size_t at = state_.SlotIndex(s, lane_of_[i]);
        tile_lo_[s * kKeysAtOnce + i] = state_.lo[at];
        tile_width_[s * kKeysAtOnce + i] = state_.width[at];
        tile_below_[s * kKeysAtOnce + i] = 0;
      }
    }
    for (std::int64_t row = 0; row < rows; row += together) {
      const std::int64_t now = std::min(together, rows - row) * width;
      MakeKeys(type_, data + row * width * bytes_, now, keys_);
      if (state_.first) {
        kernels_.extremes_across(keys_, now, tile_least_, tile_greatest_);
      }
      for (std::int32_t s = 0; s < slots_; ++s) {
        const std::int64_t at = s * kKeysAtOnce;
        const std::int64_t found = kernels_.find_across(
            keys_, tile_lo_ + at, tile_width_ + at, now,
            state_.first ? tile_below_ + at : nullptr, hits_);
        TakeHits(s, found, lane_of_, 0);
      }
    }
    for (std::int64_t i = 0; state_.first && i < tile; ++i) {
      const std::int64_t at = lane_of_[i];
      least_[at] = std::min(least_[at], tile_least_[i]);
      greatest_[at] = std::max(greatest_[at], tile_greatest_[i]);
      for (std::int32_t s = 0; s < slots_; ++s) {
        below_[state_.SlotIndex(s, at)] += tile_below_[s * kKeysAtOnce + i];
      }
    }
  }

  const LaneSelection& selection_;
  const Opened& opened_;
  const SelectionState& state_;
  const std::int64_t lanes_;
  const std::int32_t slots_;
  const NamedElementType type_;
  const std::int64_t bytes_;
  const kernels::SelectionKernels& kernels_;

  // In scratch.
  std::int64_t* const keys_;
  std::int64_t* const tile_least_;
  std::int64_t* const tile_greatest_;
  std::int64_t* const tile_lo_;
  std::uint64_t* const tile_width_;
  std::uint32_t* const hits_;
  std::uint32_t* const lane_of_;
  std::uint32_t* const tile_below_;
  std::uint32_t* const below_;  // [slots][lanes], of this block
  // In the partial.
  std::int64_t* least_ = nullptr;
  std::int64_t* greatest_ = nullptr;
  std::byte* counters_ = nullptr;

  std::vector<Entry>* entries_ = nullptr;
};

std::int64_t LaneSelection::scratch_bytes_max() const {
  return Pass::ScratchBytes(lanes(), ranks_max());
}

absl::StatusOr<std::shared_ptr<const LaneSelection::Opened>>
LaneSelection::Open(std::span<const std::byte> state_bytes) const {
  return opened_.Get(state_bytes, [&]() -> absl::StatusOr<Opened> {
    Opened opened;
    HEARTH_ASSIGN_OR_RETURN(
        opened.state, SelectionState::Parse(state_bytes, lanes(), ranks_max()));
    const SelectionState& state = opened.state;
    if (state.slots <= selection_limits::kSlotsOneByOne) return opened;
    for (std::int64_t lane = 0; lane < lanes(); ++lane) {
      std::int32_t used = 0;
      for (std::int32_t s = 0; s < state.slots; ++s) {
        const std::size_t at = state.SlotIndex(s, lane);
        opened.lo_by_lane.push_back(state.lo[at]);
        used += state.shift[at] == SelectionState::kUnused ? 0 : 1;
      }
      opened.used.push_back(used);
    }
    return opened;
  });
}

absl::Status LaneSelection::Begin(std::span<const std::byte> state_bytes,
                                  Bytes& partial) const {
  SelectionPartialHeader header;
  header.kind = SelectionPartialHeader::kEntries;
  const std::size_t at = partial.size();
  if (!state_bytes.empty()) {
    HEARTH_ASSIGN_OR_RETURN(const std::shared_ptr<const Opened> opened,
                            Open(state_bytes));
    const SelectionState& state = opened->state;
    if (!state.collect) {
      header.kind = SelectionPartialHeader::kCounters;
      header.counter_bytes = wide() ? 8 : 4;
      header.lanes = lanes();
      header.counters = CounterCount(state);
    }
  }
  partial.resize(
      at + sizeof(header) +
      static_cast<std::size_t>(16 * header.lanes +
                               header.counters * header.counter_bytes));
  std::memcpy(partial.data() + at, &header, sizeof(header));
  auto* extremes =
      reinterpret_cast<std::int64_t*>(partial.data() + at + sizeof(header));
  std::fill_n(extremes, header.lanes, INT64_MAX);
  std::fill_n(extremes + header.lanes, header.lanes, INT64_MIN);
  return absl::OkStatus();
}

absl::Status LaneSelection::Accumulate(const BlockView& view,
                                       std::span<const std::byte> state_bytes,
                                       Scratch& scratch, std::size_t begins_at,
                                       Bytes& partial) const {
  if (view.block.element_count == 0) return absl::OkStatus();
  std::byte* memory = scratch.Get(scratch_bytes_max());
  std::vector<Entry> entries;
  if (state_bytes.empty()) {
    const Opened none;
    Pass(*this, none, memory, nullptr).Sample(view, entries);
  } else {
    HEARTH_ASSIGN_OR_RETURN(const std::shared_ptr<const Opened> opened,
                            Open(state_bytes));
    const bool collect = opened->state.collect;
    Pass pass(*this, *opened, memory,
              collect ? nullptr : partial.data() + begins_at);
    pass.Search(view, collect ? &entries : nullptr);
  }
  const std::size_t length = entries.size() * sizeof(Entry);
  if (static_cast<std::int64_t>(partial.size() - begins_at + length) >
      partial_bytes_max()) {
    return Error(Reason::kFileChanged,
                 "collect elements by their rank: there are more than were "
                 "counted; was the matrix changed meanwhile? Run it again");
  }
  const auto* from = reinterpret_cast<const std::byte*>(entries.data());
  partial.insert(partial.end(), from, from + length);
  return absl::OkStatus();
}

absl::Status LaneSelection::Combine(std::size_t begins_at, Bytes& left,
                                    std::span<const std::byte> right) const {
  const auto bad = [] {
    return Error(
        Reason::kInternal,
        "combine partials of a selection: they differ in kind or size");
  };
  SelectionPartialHeader a, b;
  if (left.size() < begins_at + sizeof(a) || right.size() < sizeof(b)) {
    return bad();
  }
  std::memcpy(&a, left.data() + begins_at, sizeof(a));
  std::memcpy(&b, right.data(), sizeof(b));
  if (std::memcmp(&a, &b, sizeof(a)) != 0) return bad();
  right = right.subspan(sizeof(b));
  if (a.kind == SelectionPartialHeader::kEntries) {
    if (static_cast<std::int64_t>(left.size() - begins_at + right.size()) >
        partial_bytes_max()) {
      return bad();
    }
    left.insert(left.end(), right.begin(), right.end());
    return absl::OkStatus();
  }
  if (a.kind != SelectionPartialHeader::kCounters || a.lanes != lanes() ||
      a.counter_bytes != (wide() ? 8u : 4u) || a.counters < 0 ||
      a.counters > CounterCountMax() ||
      right.size() != static_cast<std::size_t>(16 * a.lanes +
                                               a.counters * a.counter_bytes) ||
      left.size() - begins_at - sizeof(a) != right.size()) {
    return bad();
  }
  auto* mine =
      reinterpret_cast<std::int64_t*>(left.data() + begins_at + sizeof(a));
  const std::byte* theirs = right.data();
  const auto take = [&theirs]<class T>(T) {
    T value;
    std::memcpy(&value, theirs, sizeof(T));
    theirs += sizeof(T);
    return value;
  };
  for (std::int64_t i = 0; i < a.lanes; ++i) {
    mine[i] = std::min(mine[i], take(std::int64_t{}));
  }
  for (std::int64_t i = a.lanes; i < 2 * a.lanes; ++i) {
    mine[i] = std::max(mine[i], take(std::int64_t{}));
  }
  mine += 2 * a.lanes;
  if (wide()) {
    auto* counters = reinterpret_cast<std::uint64_t*>(mine);
    for (std::int64_t i = 0; i < a.counters; ++i) {
      counters[i] += take(std::uint64_t{});
    }
  } else {
    auto* counters = reinterpret_cast<std::uint32_t*>(mine);
    for (std::int64_t i = 0; i < a.counters; ++i) {
      counters[i] += take(std::uint32_t{});
    }
  }
  return absl::OkStatus();
}

}  // namespace hearth
