#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/compute/operation.h"
#include "hearth/compute/reduction/geometry.h"
#include "hearth/compute/remembered.h"
#include "hearth/compute/selection/selection_state.h"
#include "hearth/matrix/layout.h"
#include "hearth/matrix/partition.h"

namespace hearth {

// Finds, in every lane of a reduction, the elements of certain ranks, in a few
// passes over the matrix and within bounded memory.
//
//   sample     a few elements of each lane, at places that the layout alone
//              decides. They tell in which intervals of keys the ranks lie,
//              almost surely. (All elements where there are few: then that is
//              the end.)
//   histogram  how many elements are below each interval, and how many in each
//              of its bins: now the ranks' bins are certain. Done again, within
//              those bins, while they hold too many elements.
//   collect    the elements of those bins themselves.
//
// So a matrix is read in full twice where its elements are spread smoothly.
// How they are spread changes the number of passes, never the result.
//
// A partial may stand behind another of the caller's: every method takes the
// bytes at which the selection's own begins.
//
// Kind:    immutable. Threads: any.
// Bound:   partial_bytes_max(), about 32 MiB; scratch_bytes_max().
class LaneSelection {
 public:
  // `q`: where in each lane to look, for the sample and for the bounds. Which
  // ranks those are RanksOf says in the end.
  LaneSelection(const MatrixLayout& layout, const std::vector<int>& axes,
                bool keepdims, std::vector<double> q);

  // Whether that many places in every lane can be found in bounded memory.
  static bool FitsIn(std::int64_t lanes, std::int64_t places);

  const ReductionGeometry& geometry() const { return geometry_; }
  std::int64_t lanes() const { return geometry_.output_count(); }
  std::int64_t elements() const { return geometry_.reduced_count(); }

  // Whether the first pass is all there is.
  bool collects_all() const { return stride_ == 1; }
  int leaf_blocks_log2() const;
  std::int64_t partial_bytes_max() const;
  std::int64_t scratch_bytes_max() const;

  // `partial` has the caller's bytes already. `state` is empty at first.
  absl::Status Begin(std::span<const std::byte> state, Bytes& partial) const;
  absl::Status Accumulate(const BlockView& view,
                          std::span<const std::byte> state, Scratch& scratch,
                          std::size_t begins_at, Bytes& partial) const;
  absl::Status Combine(std::size_t begins_at, Bytes& left,
                       std::span<const std::byte> right) const;

  // What is wanted of a lane: ranks, ascending and each once, among its first
  // `counted` elements in the order (those that are no NaN). The same each time
  // it is asked.
  struct Wanted {
    std::vector<std::int64_t> ranks;
    std::int64_t counted;
  };
  using RanksOf =
      std::function<Wanted(std::int64_t lane, std::int64_t greatest_key)>;

  struct Outcome {
    std::optional<Bytes> next_state;
    // Else: greatest[lane], and key[RankIndex(lane, i)] of its i-th rank.
    SelectionState found;
  };
  // Of what Begin to Combine made of the selection's part.
  absl::StatusOr<Outcome> Finish(std::span<const std::byte> partial,
                                 std::span<const std::byte> state,
                                 const RanksOf& ranks_of) const;

 private:
  class Pass;
  struct Entry;
  // A state, and what a pass looks up in it.
  struct Opened;
  absl::StatusOr<std::shared_ptr<const Opened>> Open(
      std::span<const std::byte> state) const;

  // Keys of entries, lane after lane, in a lane slot after slot.
  struct Groups;
  absl::StatusOr<Groups> GroupsOf(std::span<const std::byte> partial,
                                  std::int32_t slots) const;
  absl::StatusOr<Outcome> FinishSample(Groups sample,
                                       const RanksOf& ranks_of) const;
  absl::StatusOr<Outcome> FinishHistogram(std::span<const std::byte> partial,
                                          const SelectionState& state,
                                          const RanksOf& ranks_of) const;
  absl::StatusOr<Outcome> FinishCollect(Groups groups, SelectionState state,
                                        const RanksOf& ranks_of) const;
  // Sets slots, bins and shifts for the intervals of each lane.
  struct Interval;
  Outcome NextPass(std::vector<std::vector<Interval>> intervals,
                   SelectionState state) const;
  // Of a lane: a place names two at most.
  std::int32_t ranks_max() const {
    return static_cast<std::int32_t>(2 * q_.size());
  }
  // Of a histogram: whether a counter needs 64 bits, and how many there are.
  bool wide() const;
  std::int64_t CounterCount(const SelectionState& state) const;
  std::int64_t CounterCountMax() const;

  ReductionGeometry geometry_;
  Partition partition_;
  NamedElementType type_;
  std::vector<double> q_;
  std::int64_t element_count_;
  std::int64_t inner_;   // elements of the innermost kept axes
  std::int64_t stride_;  // elements of a lane for each one in the sample
  Remembered<Opened> opened_;
};

}  // namespace hearth
