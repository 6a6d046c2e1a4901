#include "hearth/compute/reduction/element_index.h"

namespace hearth {

ElementIndex::ElementIndex(const MatrixLayout& layout, std::optional<int> axis)
    : storage_shape_(layout.StorageShape()) {
  if (!axis.has_value()) {
    length_ = layout.element_count();
    transposes_ = layout.order == Order::kFortran && layout.axis_count() > 1;
    return;
  }
  const int place =
      layout.order == Order::kC ? *axis : layout.axis_count() - 1 - *axis;
  for (std::size_t i = static_cast<std::size_t>(place) + 1;
       i < storage_shape_.size(); ++i) {
    below_ *= storage_shape_[i];
  }
  length_ = storage_shape_[static_cast<std::size_t>(place)];
}

std::int64_t ElementIndex::Of(std::int64_t storage) const {
  if (!transposes_) return storage / below_ % length_;
  // The storage shape is the shape backwards: its last axis is C order's
  // slowest.
  std::int64_t index = 0;
  for (std::size_t i = storage_shape_.size(); i > 0; --i) {
    const std::int64_t length = storage_shape_[i - 1];
    index = index * length + storage % length;
    storage /= length;
  }
  return index;
}

}  // namespace hearth
