#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "hearth/matrix/layout.h"
#include "hearth/matrix/partition.h"

namespace hearth {

// Which outputs of a reduction a run of storage touches, and how.
//
// Axes are taken in storage order; those of length 1 are left out, neighbours
// that are both kept or both reduced are one. An output's number is its place
// in the result, in storage order. A row block always touches a contiguous
// *span* of outputs: its indexes before one axis are fixed, it is a run on
// that axis, and everything after.
//
// `parts` numbers make an element (2: complex numbers, summed as pairs of
// reals): they are a last, kept axis. Element counts and offsets below are
// counted in such numbers.
//
// Kind: value, immutable.
class ReductionGeometry {
 public:
  // `axes`: the reduced ones, ascending. Requires parts = 1 or 2, and that the
  // lengths of the kept axes, times parts, have a product that fits.
  ReductionGeometry(const MatrixLayout& layout, const std::vector<int>& axes,
                    bool keepdims, int parts);

  const Shape& result_shape() const { return result_shape_; }
  Order result_order() const { return result_order_; }
  std::int64_t output_count() const { return output_count_; }    // parts too
  std::int64_t reduced_count() const { return reduced_count_; }  // an output
  int parts() const { return parts_; }

  // True when no two row blocks touch the same output.
  bool concatenates(const Partition& partition) const;

  struct Span {
    std::int64_t begin = 0;
    std::int64_t count = 0;
  };
  Span SpanOf(const RowBlock& block) const;

  // Elements seen as [panels][rows][width], as kernels do.
  struct Run {
    std::int64_t offset;  // of the first number, from the block's first
    std::int64_t output;  // of the first number
    std::int64_t panels;
    std::int64_t rows;
    std::int64_t width;
  };
  // All elements as one run of a single panel, where they are that.
  std::optional<Run> WholeAsPanel() const;

  // Calls `visit(run)` for each of the runs that make the block, in order.
  template <class Visit>
  void ForEachRun(const RowBlock& block, Visit&& visit) const {
    const Cut cut = CutOf(block);
    for (std::int64_t i = 0; i < cut.run_count; ++i) visit(RunAt(cut, i));
  }

 private:
  struct Group {
    std::int64_t length;
    bool kept;
    std::int64_t numbers_below;  // in one index of this group
    std::int64_t outputs_below;
  };
  // A block: everything below one run [begin, begin + length) of a group.
  struct Cut {
    std::size_t group;
    std::int64_t length;
    std::int64_t output;          // of its first number
    std::size_t first_run_group;  // groups before it are looped over
    std::int64_t run_count;
    Run run;  // the first
  };

  std::int64_t LengthIn(const Cut& cut, std::size_t group) const {
    return group == cut.group ? cut.length : groups_[group].length;
  }
  Cut CutOf(const RowBlock& block) const;
  Run RunAt(const Cut& cut, std::int64_t index) const;

  std::vector<Group> groups_;  // kinds alternate
  std::vector<bool> kept_in_storage_order_;
  Shape result_shape_;
  Order result_order_ = Order::kC;
  std::int64_t output_count_ = 1;
  std::int64_t reduced_count_ = 1;
  int parts_ = 1;
};

}  // namespace hearth
