// The rows of a matrix of two axes, as many at a time as BLAS likes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "absl/status/statusor.h"
#include "hearth/compute/elements.h"
#include "hearth/compute/operation.h"
#include "hearth/compute/share.h"
#include "hearth/matrix/layout.h"
#include "hearth/matrix/partition.h"

namespace hearth {

// Some rows of the matrix, all columns of each, as they lie in memory.
struct RowPanel {
  NamedElementType type;
  const std::byte* data;  // element (first row, column 0), at any alignment
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t stride;  // elements from a row to the next; by columns, from a
                        // column to the next
  bool by_columns;
};

// A panel's elements as BLAS takes them, `stride` as above.
template <class T>
struct BlasPanel {
  const T* data;
  std::int64_t stride;
};

// Which rows a row block stands for, and how many BLAS is given at once.
//
// A row block of a column-major matrix is a run of columns, but it stands for a
// share of the rows here, and so does one that is a piece of a long row. Where
// a block has too few rows for BLAS, the first of several takes them all. Both
// need the matrix whole.
//
// The panels are the same whether BLAS may read them in place or converted in
// scratch, since its last bits depend on them.
//
// Kind: immutable value. Threads: any.
class RowPanels {
 public:
  // `element_bytes`: of an element as BLAS gets it. A leaf has `leaf_rows_min`
  // rows or more, unless there would be nothing left to share out.
  RowPanels(const MatrixLayout& layout, std::int64_t element_bytes,
            std::int64_t leaf_rows_min);

  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  bool by_columns() const { return layout_.order == Order::kFortran; }
  bool needs_whole_matrix() const {
    return shares_rows_ || blocks_at_once_ > 1;
  }
  int leaf_blocks_log2() const { return leaf_blocks_log2_; }
  // Of a panel, at most.
  std::int64_t panel_rows() const { return panel_rows_; }

  // Those of the matrix that `block` stands for; none for some blocks.
  Share RowsOf(const RowBlock& block) const;

  // They as one panel. INTERNAL when the matrix was to be given whole, and was
  // not.
  absl::StatusOr<RowPanel> PanelOf(const BlockView& view) const;
  // panel_rows() of them, or what is left, from row `begin` of `all` on.
  RowPanel Part(const RowPanel& all, std::int64_t begin) const;

 private:
  int LeafBlocksLog2(std::int64_t leaf_rows_min) const;
  std::int64_t BlocksAtOnce() const;

  MatrixLayout layout_;
  Partition partition_;
  std::int64_t rows_;
  std::int64_t columns_;
  bool shares_rows_;
  std::int64_t panel_rows_;
  int leaf_blocks_log2_;
  std::int64_t blocks_at_once_;  // a power of two, within a leaf
};

// Rows [begin, begin + rows) of a panel.
inline RowPanel RowsOf(const RowPanel& panel, std::int64_t begin,
                       std::int64_t rows) {
  RowPanel part = panel;
  part.data +=
      begin * (panel.by_columns ? 1 : panel.stride) * BytesOf(panel.type.type);
  part.rows = rows;
  return part;
}

// Columns [begin, begin + columns) of a panel.
inline RowPanel ColumnsOf(const RowPanel& panel, std::int64_t begin,
                          std::int64_t columns) {
  RowPanel part = panel;
  part.data +=
      begin * (panel.by_columns ? panel.stride : 1) * BytesOf(panel.type.type);
  part.columns = columns;
  return part;
}

// The panel where it is, if BLAS may read it there: native elements of type T,
// aligned, with a stride that is an int.
template <class T>
bool IsInPlace(const RowPanel& panel) {
  constexpr ElementType kType = std::is_same_v<T, double>
                                    ? ElementType::kFloat64
                                    : ElementType::kComplex128;
  return panel.type.type == kType &&
         panel.type.byte_order == ByteOrder::kNative &&
         reinterpret_cast<std::uintptr_t>(panel.data) % alignof(T) == 0 &&
         panel.stride <= std::numeric_limits<int>::max();
}

// Its elements converted, without gaps, to `to`.
template <class T>
BlasPanel<T> CopyPanel(const RowPanel& panel, T* to) {
  const std::int64_t bytes = BytesOf(panel.type.type);
  std::int64_t runs = panel.by_columns ? panel.columns : panel.rows;
  std::int64_t length = panel.by_columns ? panel.rows : panel.columns;
  const BlasPanel<T> copy{to, length};
  if (length == panel.stride) {
    length *= runs;
    runs = 1;
  }
  for (std::int64_t i = 0; i < runs; ++i) {
    ReadElements(panel.type, panel.data + i * panel.stride * bytes, length,
                 to + i * length);
  }
  return copy;
}

// In place, or else in `buffer`.
template <class T>
BlasPanel<T> ForBlas(const RowPanel& panel, T* buffer) {
  if (IsInPlace<T>(panel)) {
    return {reinterpret_cast<const T*>(panel.data), panel.stride};
  }
  return CopyPanel(panel, buffer);
}

}  // namespace hearth
