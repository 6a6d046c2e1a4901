// A matrix times a matrix: each row block writes its rows of the result.
#include <algorithm>
#include <complex>
#include <cstring>
#include <limits>
#include <type_traits>

#include "hearth/base/status.h"
#include "hearth/compute/blas.h"
#include "hearth/compute/dense/product_plans.h"
#include "hearth/compute/dense/row_panels.h"
#include "hearth/compute/elements.h"

namespace hearth {
namespace {

// There is nothing to combine: enough rows for BLAS.
constexpr std::int64_t kLeafRowsMin = 1024;

// Rows and columns of the right matrix that are taken at once: what is
// converted stays small beside a panel's products, and what our own loop reads
// again and again stays in a cache.
template <class A>
constexpr std::int64_t kTile = std::is_same_v<A, std::uint64_t> ? 256 : 2048;

template <class A>
constexpr ElementType kTypeOf =
    std::is_same_v<A, double> ? ElementType::kFloat64
                              : ElementType::kComplex128;

// A product to add to, or to begin: rows `stride` apart.
template <class A>
struct Sums {
  A* data;
  std::int64_t stride;
  bool begins;
};

template <class A>
absl::Status Multiply(const RowPanel& left, const RowPanel& right,
                      A* left_buffer, A* right_buffer, const Sums<A>& to) {
  HEARTH_ASSIGN_OR_RETURN(const Blas* blas, LoadBlas());
  const BlasPanel<A> x = ForBlas(left, left_buffer);
  const BlasPanel<A> y = ForBlas(right, right_buffer);
  const auto turn = [](const RowPanel& panel) {
    return panel.by_columns ? BlasTranspose::kTranspose : BlasTranspose::kNone;
  };
  const auto rows = static_cast<int>(left.rows);
  const auto columns = static_cast<int>(right.columns);
  const auto inner = static_cast<int>(left.columns);
  const auto x_stride = static_cast<int>(x.stride);
  const auto y_stride = static_cast<int>(y.stride);
  const auto stride = static_cast<int>(to.stride);
  const A one = 1, more = to.begins ? 0 : 1;
  if constexpr (std::is_same_v<A, double>) {
    blas->dgemm(BlasOrder::kRowMajor, turn(left), turn(right), rows, columns,
                inner, one, x.data, x_stride, y.data, y_stride, more, to.data,
                stride);
  } else {
    blas->zgemm(BlasOrder::kRowMajor, turn(left), turn(right), rows, columns,
                inner, &one, x.data, x_stride, y.data, y_stride, &more, to.data,
                stride);
  }
  return absl::OkStatus();
}

// Integers and bool, modulo 2^64.
absl::Status Multiply(const RowPanel& left, const RowPanel& right,
                      std::uint64_t* left_buffer, std::uint64_t* right_buffer,
                      const Sums<std::uint64_t>& to) {
  const BlasPanel<std::uint64_t> x = CopyPanel(left, left_buffer);
  const BlasPanel<std::uint64_t> y = CopyPanel(right, right_buffer);
  const std::uint64_t* rows_of_right = y.data;
  std::uint64_t turned[kTile<std::uint64_t>];
  for (std::int64_t i = 0; i < left.rows; ++i) {
    std::uint64_t* sums = to.data + i * to.stride;
    if (to.begins) std::fill_n(sums, right.columns, 0);
    if (right.by_columns) {
      for (std::int64_t k = 0; k < left.columns; ++k) {
        turned[k] = left.by_columns ? x.data[k * x.stride + i]
                                    : x.data[i * x.stride + k];
      }
      for (std::int64_t j = 0; j < right.columns; ++j) {
        std::uint64_t sum = 0;
        for (std::int64_t k = 0; k < left.columns; ++k) {
          sum += turned[k] * rows_of_right[j * y.stride + k];
        }
        sums[j] += sum;
      }
      continue;
    }
    for (std::int64_t k = 0; k < left.columns; ++k) {
      const std::uint64_t factor =
          left.by_columns ? x.data[k * x.stride + i] : x.data[i * x.stride + k];
      for (std::int64_t j = 0; j < right.columns; ++j) {
        sums[j] += factor * rows_of_right[k * y.stride + j];
      }
    }
  }
  return absl::OkStatus();
}

template <class A>
class MatrixProductPlan : public Plan {
 public:
  MatrixProductPlan(const MatrixLayout& layout, const MatrixOperand& right,
                    ElementType result)
      : panels_(layout, static_cast<std::int64_t>(sizeof(A)), kLeafRowsMin),
        right_(right),
        result_(result) {}

  bool concatenates() const override { return true; }
  int leaf_blocks_log2() const override { return panels_.leaf_blocks_log2(); }
  std::int64_t partial_bytes_max() const override { return 0; }
  std::int64_t scratch_bytes_max() const override {
    return (LeftTile() + RightTile() + panels_.panel_rows() * Across()) *
           static_cast<std::int64_t>(sizeof(A));
  }
  bool uses_blas() const override { return !std::is_same_v<A, std::uint64_t>; }
  bool needs_whole_matrix() const override {
    return panels_.needs_whole_matrix();
  }

  std::vector<ResultArray> DeclareResults() const override {
    return {{.name = "",
             .type = result_,
             .shape = {panels_.rows(), right_.columns()}}};
  }

  ResultSlice SliceOf(const RowBlock& block) const override {
    const Share rows = panels_.RowsOf(block);
    const std::int64_t row_bytes = right_.columns() * BytesOf(result_);
    return {rows.begin * row_bytes, rows.count() * row_bytes};
  }

  absl::Status MapBlock(const BlockView& view, Scratch& scratch,
                        std::byte* out) const override {
    const std::int64_t row_bytes = right_.columns() * BytesOf(result_);
    if (panels_.columns() == 0) {
      const ResultSlice slice = SliceOf(view.block);
      std::fill_n(out, slice.bytes, std::byte{});
      return absl::OkStatus();
    }
    HEARTH_ASSIGN_OR_RETURN(const RowPanel all, panels_.PanelOf(view));
    for (std::int64_t row = 0; row < all.rows; row += panels_.panel_rows()) {
      HEARTH_RETURN_IF_ERROR(MultiplyPanel(panels_.Part(all, row), scratch,
                                           out + row * row_bytes));
    }
    return absl::OkStatus();
  }

 private:
  // Columns of a tile of the left and the right matrix.
  std::int64_t Inner() const { return std::min(kTile<A>, panels_.columns()); }
  std::int64_t Across() const { return std::min(kTile<A>, right_.columns()); }
  std::int64_t LeftTile() const { return panels_.panel_rows() * Inner(); }
  std::int64_t RightTile() const { return Inner() * Across(); }

  // Tile by tile, whether or not BLAS may read and write in place: its bits
  // depend on the tiles alone.
  absl::Status MultiplyPanel(const RowPanel& panel, Scratch& scratch,
                             std::byte* out) const {
    const std::int64_t columns = right_.columns();
    auto* const left_buffer =
        reinterpret_cast<A*>(scratch.Get(scratch_bytes_max()));
    A* const right_buffer = left_buffer + LeftTile();
    A* const sum_buffer = right_buffer + RightTile();
    const bool in_place =
        IsOwnType() &&
        reinterpret_cast<std::uintptr_t>(out) % alignof(A) == 0 &&
        columns <= std::numeric_limits<int>::max();
    for (std::int64_t j = 0; j < columns; j += kTile<A>) {
      const std::int64_t across = std::min(kTile<A>, columns - j);
      Sums<A> sums{sum_buffer, across, true};
      if (in_place) sums = {reinterpret_cast<A*>(out) + j, columns, true};
      for (std::int64_t k = 0; k < panel.columns; k += kTile<A>) {
        const std::int64_t inner = std::min(kTile<A>, panel.columns - k);
        sums.begins = k == 0;
        HEARTH_RETURN_IF_ERROR(Multiply(ColumnsOf(panel, k, inner),
                                        right_.Part(k, inner, j, across),
                                        left_buffer, right_buffer, sums));
      }
      for (std::int64_t i = 0; i < panel.rows; ++i) {
        WriteElements(result_,
                      static_cast<const A*>(sums.data + i * sums.stride),
                      across, out + (i * columns + j) * BytesOf(result_));
      }
    }
    return absl::OkStatus();
  }

  bool IsOwnType() const {
    return !std::is_same_v<A, std::uint64_t> && result_ == kTypeOf<A>;
  }

  const RowPanels panels_;
  const MatrixOperand right_;
  const ElementType result_;
};

}  // namespace

std::unique_ptr<Plan> MakeMatrixProductPlan(const MatrixLayout& layout,
                                            const MatrixOperand& right,
                                            ElementType result) {
  switch (ArithmeticOf(result)) {
    case Arithmetic::kUint64:
      return std::make_unique<MatrixProductPlan<std::uint64_t>>(layout, right,
                                                                result);
    case Arithmetic::kFloat64:
      return std::make_unique<MatrixProductPlan<double>>(layout, right, result);
    case Arithmetic::kComplex128:
      break;
  }
  return std::make_unique<MatrixProductPlan<std::complex<double>>>(
      layout, right, result);
}

}  // namespace hearth
