#include "hearth/compute/reduction/geometry.h"

#include <algorithm>

namespace hearth {
namespace {

// 0 when any length is: the product of the others may not even fit.
std::int64_t ProductOf(const std::vector<std::int64_t>& lengths) {
  if (std::find(lengths.begin(), lengths.end(), 0) != lengths.end()) return 0;
  std::int64_t product = 1;
  for (const std::int64_t length : lengths) product *= length;
  return product;
}

}  // namespace

ReductionGeometry::ReductionGeometry(const MatrixLayout& layout,
                                     const std::vector<int>& axes,
                                     bool keepdims, int parts)
    : parts_(parts) {
  std::vector<bool> kept(layout.shape.size(), true);
  for (const int axis : axes) kept[static_cast<std::size_t>(axis)] = false;

  std::vector<std::int64_t> reduced;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const std::int64_t length = layout.shape[i];
    if (kept[i]) {
      result_shape_.push_back(length);
    } else {
      if (keepdims) result_shape_.push_back(1);
      reduced.push_back(length);
    }
  }
  output_count_ = ProductOf(result_shape_) * parts;
  reduced_count_ = ProductOf(reduced);
  // One axis lies the same way in either order.
  result_order_ = result_shape_.size() > 1 ? layout.order : Order::kC;

  kept_in_storage_order_ = kept;
  if (layout.order == Order::kFortran) {
    std::reverse(kept_in_storage_order_.begin(), kept_in_storage_order_.end());
  }
  if (layout.element_count() == 0) return;  // no block holds an element

  const auto add = [this](std::int64_t length, bool is_kept) {
    if (length == 1) return;
    if (!groups_.empty() && groups_.back().kept == is_kept) {
      groups_.back().length *= length;
    } else {
      groups_.push_back({length, is_kept, 1, 1});
    }
  };
  const Shape storage = layout.StorageShape();
  for (std::size_t i = 0; i < storage.size(); ++i)
    add(storage[i], kept_in_storage_order_[i]);
  add(parts, true);
  if (groups_.empty()) groups_.push_back({1, true, 1, 1});

  for (std::size_t i = groups_.size() - 1; i > 0; --i) {
    const Group& below = groups_[i];
    groups_[i - 1].numbers_below = below.numbers_below * below.length;
    groups_[i - 1].outputs_below =
        below.outputs_below * (below.kept ? below.length : 1);
  }
}

bool ReductionGeometry::concatenates(const Partition& partition) const {
  const int cut = partition.cut_axes();
  for (int i = 0; i < cut; ++i) {
    if (!kept_in_storage_order_[static_cast<std::size_t>(i)]) return false;
  }
  return cut > 0;
}

std::optional<ReductionGeometry::Run> ReductionGeometry::WholeAsPanel() const {
  if (groups_.size() != 2 || groups_[0].kept) return std::nullopt;
  return Run{0, 0, 1, groups_[0].length, groups_[1].length};
}

ReductionGeometry::Cut ReductionGeometry::CutOf(const RowBlock& block) const {
  std::int64_t begin = block.element_begin * parts_;
  const std::int64_t count = block.element_count * parts_;
  Cut cut{};
  // Go down while the block lies within one index.
  while (cut.group + 1 < groups_.size()) {
    const Group& group = groups_[cut.group];
    const std::int64_t index = begin / group.numbers_below;
    if ((begin + count - 1) / group.numbers_below != index) break;
    begin -= index * group.numbers_below;
    if (group.kept) cut.output += index * group.outputs_below;
    ++cut.group;
  }
  const Group& top = groups_[cut.group];
  cut.length = count / top.numbers_below;
  if (top.kept) cut.output += begin / top.numbers_below * top.outputs_below;

  // The last groups are one run: [panels kept] [rows reduced] [width kept].
  cut.run = {0, cut.output, 1, 1, 1};
  std::size_t first = groups_.size();
  const auto take = [&](bool kept, std::int64_t& length) {
    if (first == cut.group || groups_[first - 1].kept != kept) return;
    --first;
    length = LengthIn(cut, first);
  };
  take(true, cut.run.width);
  take(false, cut.run.rows);
  take(true, cut.run.panels);
  cut.first_run_group = first;
  cut.run_count = 1;
  for (std::size_t g = cut.group; g < first; ++g)
    cut.run_count *= LengthIn(cut, g);
  return cut;
}

ReductionGeometry::Run ReductionGeometry::RunAt(const Cut& cut,
                                                std::int64_t index) const {
  Run run = cut.run;
  run.offset = index * run.panels * run.rows * run.width;
  for (std::size_t g = cut.first_run_group; g > cut.group; --g) {
    const std::int64_t length = LengthIn(cut, g - 1);
    if (groups_[g - 1].kept)
      run.output += index % length * groups_[g - 1].outputs_below;
    index /= length;
  }
  return run;
}

ReductionGeometry::Span ReductionGeometry::SpanOf(const RowBlock& block) const {
  if (block.element_count == 0) return {};
  const Cut cut = CutOf(block);
  const Group& top = groups_[cut.group];
  return {cut.output, top.outputs_below * (top.kept ? cut.length : 1)};
}

}  // namespace hearth
