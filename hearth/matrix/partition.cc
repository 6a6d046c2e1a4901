#include "hearth/matrix/partition.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include "hearth/base/limits.h"

namespace hearth {
namespace {

// The greatest power of two that is at most `value`; 1 for 0.
std::int64_t PowerOfTwoWithin(std::int64_t value) {
  return static_cast<std::int64_t>(std::bit_floor(
      static_cast<std::uint64_t>(std::max<std::int64_t>(value, 1))));
}

// Without a + b - 1, which could overflow.
std::int64_t CeilDivide(std::int64_t a, std::int64_t b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

}  // namespace

Partition::Partition(const MatrixLayout& layout) {
  const std::int64_t bytes = layout.bytes();
  if (bytes == 0) return;  // the members' defaults are the one empty block
  slice_elements_ = 1;
  if (layout.shape.empty()) return;  // 0-d: one block of one element

  const std::int64_t element_bytes = BytesOf(layout.type);
  const Shape storage = layout.StorageShape();

  // Take axes from the slowest on until what is left is small enough. The
  // products below divide bytes, so none of them overflows.
  std::int64_t runs = 1;  // indexes of the axes before the last cut one
  slice_elements_ = layout.element_count() / storage[0];
  slices_per_run_ = storage[0];
  cut_axes_ = 1;
  while (slice_elements_ * element_bytes > limits::kRowBlockBytesMax) {
    const std::int64_t length = storage[static_cast<std::size_t>(cut_axes_)];
    runs *= slices_per_run_;
    slice_elements_ /= length;
    slices_per_run_ = length;
    ++cut_axes_;
  }

  const std::int64_t slice_bytes = slice_elements_ * element_bytes;
  const std::int64_t block_bytes_max =
      std::clamp(bytes / limits::kRowBlocksAimedAt, limits::kRowBlockBytesMin,
                 limits::kRowBlockBytesMax);
  slices_per_block_ = PowerOfTwoWithin(block_bytes_max / slice_bytes);
  blocks_per_run_ = CeilDivide(slices_per_run_, slices_per_block_);
  block_count_ = runs * blocks_per_run_;

  const std::int64_t block_bytes =
      std::min(slices_per_block_, slices_per_run_) * slice_bytes;
  blocks_per_shard_ = PowerOfTwoWithin(limits::kShardBytesMax / block_bytes);
}

RowBlock Partition::Block(std::int64_t index) const {
  const std::int64_t run = index / blocks_per_run_;
  const std::int64_t first_slice =
      index % blocks_per_run_ * slices_per_block_;  // within the run
  const std::int64_t slices =
      std::min(slices_per_block_, slices_per_run_ - first_slice);
  return {
      .index = index,
      .element_begin = (run * slices_per_run_ + first_slice) * slice_elements_,
      .element_count = slices * slice_elements_};
}

}  // namespace hearth
