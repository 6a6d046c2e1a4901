#include "hearth/compute/dense/row_panels.h"

#include <algorithm>

#include "hearth/base/error.h"
#include "hearth/base/limits.h"

namespace hearth {
namespace {

// Long enough for BLAS to reach its speed (1,024 rows: all of it at 2,048
// columns, 512: 95 %), short enough that a converted panel stays in a cache
// where it can.
constexpr std::int64_t kPanelBytesAimedAt = 4 * limits::kMiB;
constexpr std::int64_t kPanelRowsMin = 1024;
constexpr std::int64_t kPanelRowsMax = 16384;

constexpr std::int64_t kLeavesMin = 8;

}  // namespace

RowPanels::RowPanels(const MatrixLayout& layout, std::int64_t element_bytes,
                     std::int64_t leaf_rows_min)
    : layout_(layout),
      partition_(layout),
      rows_(layout.shape[0]),
      columns_(layout.shape[1]),
      shares_rows_(by_columns() || partition_.cut_axes() > 1),
      panel_rows_(
          std::clamp(kPanelBytesAimedAt /
                         (element_bytes * std::max<std::int64_t>(columns_, 1)),
                     kPanelRowsMin, kPanelRowsMax)),
      leaf_blocks_log2_(LeafBlocksLog2(leaf_rows_min)),
      blocks_at_once_(BlocksAtOnce()) {}

int RowPanels::LeafBlocksLog2(std::int64_t leaf_rows_min) const {
  const std::int64_t blocks = partition_.block_count();
  int log2 = 0;
  while ((rows_ / blocks) << log2 < leaf_rows_min &&
         blocks >> (log2 + 1) >= kLeavesMin) {
    ++log2;
  }
  return log2;
}

std::int64_t RowPanels::BlocksAtOnce() const {
  if (layout_.bytes() > limits::kWholeMatrixBytesMax) return 1;
  const std::int64_t rows = rows_ / partition_.block_count();
  std::int64_t blocks = 1;
  while (rows * blocks < kPanelRowsMin && blocks < std::int64_t{1}
                                                       << leaf_blocks_log2_) {
    blocks *= 2;
  }
  return blocks;
}

Share RowPanels::RowsOf(const RowBlock& block) const {
  const std::int64_t blocks = partition_.block_count();
  if (columns_ == 0) return {0, block.index == 0 ? rows_ : 0};
  if (block.index % blocks_at_once_ != 0) return {};
  const std::int64_t last = std::min(block.index + blocks_at_once_, blocks) - 1;
  if (shares_rows_) {
    const std::int64_t grain = by_columns() ? 8 : 1;
    return {ShareOf(rows_, block.index, blocks, grain).begin,
            ShareOf(rows_, last, blocks, grain).end};
  }
  return {block.element_begin / columns_,
          partition_.Block(last).element_end() / columns_};
}

absl::StatusOr<RowPanel> RowPanels::PanelOf(const BlockView& view) const {
  const Share rows = RowsOf(view.block);
  RowPanel panel{.type = {layout_.type, ByteOrder::kNative},
                 .data = view.data,
                 .rows = rows.count(),
                 .columns = columns_,
                 .stride = by_columns() ? rows_ : columns_,
                 .by_columns = by_columns()};
  if (needs_whole_matrix()) {
    if (static_cast<std::int64_t>(view.matrix.size()) != layout_.bytes()) {
      return Error(Reason::kInternal,
                   "take rows of a matrix: it was not given whole");
    }
    panel.type.byte_order = layout_.byte_order;
    panel.data = view.matrix.data() + rows.begin *
                                          (by_columns() ? 1 : columns_) *
                                          BytesOf(layout_.type);
  }
  return panel;
}

RowPanel RowPanels::Part(const RowPanel& all, std::int64_t begin) const {
  return hearth::RowsOf(all, begin, std::min(panel_rows_, all.rows - begin));
}

}  // namespace hearth
