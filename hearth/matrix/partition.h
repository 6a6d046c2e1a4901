#pragma once

#include <cstdint>

#include "hearth/matrix/layout.h"

namespace hearth {

// A run of consecutive storage slices: the unit of computing and of streaming.
//
// Units: elements, counted in storage order from the start of the matrix.
struct RowBlock {
  std::int64_t index = 0;
  std::int64_t element_begin = 0;
  std::int64_t element_count = 0;

  std::int64_t element_end() const { return element_begin + element_count; }
  friend bool operator==(const RowBlock&, const RowBlock&) = default;
};

// How a matrix is cut into row blocks (DESIGN 2). A function of the layout
// alone: the same on every machine, whatever the number of workers.
//
// The leading `cut_axes()` storage axes are taken, the fewest such that one
// slice (an index of each of them, everything of the rest) is at most 16 MiB. A
// block is a run of `slices_per_block()` slices, a power of two, that never
// crosses an index of an axis before the last cut one: the last block within
// such an index may be shorter. Zero bytes are one (empty) block.
//
// Kind: value, immutable. Every method is O(1).
class Partition {
 public:
  explicit Partition(const MatrixLayout& layout);

  std::int64_t block_count() const { return block_count_; }
  RowBlock Block(
      std::int64_t index) const;  // requires 0 <= index < block_count()
  // Blocks [begin, end) as one, with the index of the first; requires
  // 0 <= begin < end <= block_count().
  RowBlock Joined(std::int64_t begin, std::int64_t end) const {
    RowBlock block = Block(begin);
    block.element_count = Block(end - 1).element_end() - block.element_begin;
    return block;
  }

  int cut_axes() const { return cut_axes_; }  // 0 for 0-d and for zero bytes
  std::int64_t slice_elements() const { return slice_elements_; }
  std::int64_t slices_per_block() const { return slices_per_block_; }
  // Length of the last cut axis: the slices within one index of the axes before
  // it.
  std::int64_t slices_per_run() const { return slices_per_run_; }

  // Blocks of one shard: 2^j whole aligned blocks, about 1 GiB at most.
  std::int64_t blocks_per_shard() const { return blocks_per_shard_; }

 private:
  int cut_axes_ = 0;
  std::int64_t slice_elements_ = 0;  // of an empty matrix
  std::int64_t slices_per_block_ = 1;
  std::int64_t slices_per_run_ = 1;
  std::int64_t blocks_per_run_ = 1;
  std::int64_t block_count_ = 1;
  std::int64_t blocks_per_shard_ = 1;
};

}  // namespace hearth
