#include "hearth/compute/dense/gram_sum.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/compute/blas.h"
#include "hearth/compute/elements.h"

namespace hearth {
namespace {

// Long enough for BLAS to reach its speed (1,024 rows: all of it at 2,048
// columns, 512: 95 %), short enough that a converted panel stays in a cache
// where it can.
constexpr std::int64_t kPanelBytesAimedAt = 4 * limits::kMiB;
constexpr std::int64_t kPanelRowsMin = 1024;
constexpr std::int64_t kPanelRowsMax = 16384;

// Combining an element of two partials costs about what 60 of its products do
// (1.2 ns against 0.02), so a leaf of 4,096 rows keeps it under 2 %.
constexpr std::int64_t kGramLeafRowsMin = 4096;
// ... unless there would be nothing left to share out.
constexpr std::int64_t kGramLeavesMin = 8;

// A panel of the matrix, as BLAS takes it.
template <class T>
struct Panel {
  const T* data;
  std::int64_t stride;  // elements from a row (a column) to the next
};

void AddPanel(const Blas& blas, BlasOrder order, int columns, int rows,
              const Panel<double>& panel, double* sum) {
  blas.dsyrk(order, BlasTriangle::kUpper, BlasTranspose::kTranspose, columns,
             rows, 1.0, panel.data, static_cast<int>(panel.stride), 1.0, sum,
             columns);
}

void AddPanel(const Blas& blas, BlasOrder order, int columns, int rows,
              const Panel<std::complex<double>>& panel,
              std::complex<double>* sum) {
  blas.zherk(order, BlasTriangle::kUpper, BlasTranspose::kConjugate, columns,
             rows, 1.0, panel.data, static_cast<int>(panel.stride), 1.0, sum,
             columns);
}

template <class T>
constexpr ElementType kTypeOf =
    std::is_same_v<T, double> ? ElementType::kFloat64
                              : ElementType::kComplex128;

// Whether BLAS may read elements of `type` at `data` as they are. Its lengths
// are ints.
template <class T>
bool InPlace(NamedElementType type, const std::byte* data,
             std::int64_t stride) {
  return type.type == kTypeOf<T> && type.byte_order == ByteOrder::kNative &&
         reinterpret_cast<std::uintptr_t>(data) % alignof(T) == 0 &&
         stride <= std::numeric_limits<int>::max();
}

// Runs of `length` elements, `stride` apart, one after the other into `to`.
template <class T>
void CopyRuns(NamedElementType type, const std::byte* from, std::int64_t runs,
              std::int64_t length, std::int64_t stride, T* to) {
  const std::int64_t bytes = BytesOf(type.type);
  for (std::int64_t i = 0; i < runs; ++i) {
    ReadElements(type, from + i * stride * bytes, length, to + i * length);
  }
}

// From a panel of `rows` rows, by rows or by columns.
template <class T>
void Subtract(std::span<const T> shift, bool by_columns, std::int64_t rows,
              T* panel) {
  const auto columns = static_cast<std::int64_t>(shift.size());
  for (std::int64_t i = 0; i < (by_columns ? columns : rows); ++i) {
    for (std::int64_t j = 0; j < (by_columns ? rows : columns); ++j) {
      *panel++ -= shift[static_cast<std::size_t>(by_columns ? i : j)];
    }
  }
}

}  // namespace

GramSum::GramSum(const MatrixLayout& layout)
    : layout_(layout),
      partition_(layout),
      rows_(layout.shape[0]),
      columns_(layout.shape[1]),
      element_bytes_(IsComplex(layout.type) ? 16 : 8),
      panel_rows_(
          std::clamp(kPanelBytesAimedAt /
                         (element_bytes_ * std::max<std::int64_t>(columns_, 1)),
                     kPanelRowsMin, kPanelRowsMax)),
      blocks_at_once_(BlocksAtOnce()) {}

bool GramSum::FitsIn(const MatrixLayout& layout) {
  const std::int64_t bytes = IsComplex(layout.type) ? 16 : 8;
  const std::int64_t columns = layout.shape[1];
  return columns == 0 || columns <= limits::kPartialBytesMax / bytes / columns;
}

std::int64_t GramSum::partial_bytes() const {
  return columns_ * columns_ * element_bytes_;
}

std::int64_t GramSum::scratch_bytes() const {
  return panel_rows_ * columns_ * element_bytes_;
}

int GramSum::leaf_blocks_log2() const {
  const std::int64_t blocks = partition_.block_count();
  int log2 = 0;
  while ((rows_ / blocks) << log2 < kGramLeafRowsMin &&
         blocks >> (log2 + 1) >= kGramLeavesMin) {
    ++log2;
  }
  return log2;
}

std::int64_t GramSum::BlocksAtOnce() const {
  if (layout_.bytes() > limits::kWholeMatrixBytesMax) return 1;
  const std::int64_t rows = rows_ / partition_.block_count();
  std::int64_t blocks = 1;
  while (rows * blocks < kPanelRowsMin && blocks < std::int64_t{1}
                                                       << leaf_blocks_log2()) {
    blocks *= 2;
  }
  return blocks;
}

Share GramSum::RowsOf(const RowBlock& block) const {
  if (!needs_whole_matrix()) return {0, block.element_count / columns_};
  if (block.index % blocks_at_once_ != 0) return {};
  const std::int64_t last =
      std::min(block.index + blocks_at_once_, partition_.block_count()) - 1;
  if (by_columns()) {
    const auto share = [&](std::int64_t index) {
      return ShareOf(rows_, index, partition_.block_count(), 8);
    };
    return {share(block.index).begin, share(last).end};
  }
  return {block.element_begin / columns_,
          partition_.Block(last).element_end() / columns_};
}

template <class T>
absl::Status GramSum::AccumulateAs(const BlockView& view,
                                   std::span<const T> shift, Scratch& scratch,
                                   Bytes& partial) const {
  if (static_cast<std::int64_t>(partial.size()) != partial_bytes()) {
    return Error(Reason::kInternal,
                 "add to a Gram matrix: partial of another size");
  }
  if (columns_ == 0 || rows_ == 0) return absl::OkStatus();
  HEARTH_ASSIGN_OR_RETURN(const Blas* blas, LoadBlas());

  const bool by_columns = this->by_columns();
  const bool whole = needs_whole_matrix();
  if (whole &&
      static_cast<std::int64_t>(view.matrix.size()) != layout_.bytes()) {
    return Error(Reason::kInternal,
                 "add to a Gram matrix: the matrix was not given whole");
  }
  const Share rows = RowsOf(view.block);
  const NamedElementType type{layout_.type,
                              whole ? layout_.byte_order : ByteOrder::kNative};
  const std::byte* base = whole ? view.matrix.data() : view.data;
  const std::int64_t bytes = BytesOf(type.type);
  const std::int64_t stride = by_columns ? rows_ : columns_;
  const bool in_place = shift.empty() && InPlace<T>(type, base, stride);
  auto* sum = reinterpret_cast<T*>(partial.data());

  for (std::int64_t row = rows.begin; row < rows.end; row += panel_rows_) {
    const std::int64_t count = std::min(panel_rows_, rows.end - row);
    const std::byte* from = base + (by_columns ? row : row * columns_) * bytes;
    Panel<T> panel{reinterpret_cast<const T*>(from), stride};
    if (!in_place) {
      auto* copy = reinterpret_cast<T*>(scratch.Get(scratch_bytes()));
      if (by_columns) {
        CopyRuns(type, from, columns_, count, rows_, copy);
      } else {
        CopyRuns(type, from, 1, count * columns_, 0, copy);
      }
      panel = {copy, by_columns ? count : columns_};
      if (!shift.empty()) Subtract(shift, by_columns, count, copy);
    }
    AddPanel(*blas, by_columns ? BlasOrder::kColumnMajor : BlasOrder::kRowMajor,
             static_cast<int>(columns_), static_cast<int>(count), panel, sum);
  }
  return absl::OkStatus();
}

absl::Status GramSum::Accumulate(const BlockView& view,
                                 std::span<const double> shift,
                                 Scratch& scratch, Bytes& partial) const {
  return AccumulateAs<double>(view, shift, scratch, partial);
}

absl::Status GramSum::Accumulate(const BlockView& view,
                                 std::span<const std::complex<double>> shift,
                                 Scratch& scratch, Bytes& partial) const {
  return AccumulateAs<std::complex<double>>(view, shift, scratch, partial);
}

absl::Status GramSum::Combine(Bytes& left,
                              std::span<const std::byte> right) const {
  if (static_cast<std::int64_t>(left.size()) != partial_bytes() ||
      right.size() != left.size()) {
    return Error(
        Reason::kInternal,
        absl::StrCat("combine partial Gram matrices: sizes ", left.size(),
                     " and ", right.size(), ", expected ", partial_bytes()));
  }
  // Doubles to add for each column or row: a complex number is two.
  const std::int64_t parts = element_bytes_ / 8;
  auto* sum = reinterpret_cast<double*>(left.data());
  for (std::int64_t i = 0; i < columns_; ++i) {
    const bool by_columns = this->by_columns();
    const std::int64_t begin = (i * columns_ + (by_columns ? 0 : i)) * parts;
    const std::int64_t end =
        (i * columns_ + (by_columns ? i + 1 : columns_)) * parts;
    const std::byte* from = right.data() + begin * 8;
    for (std::int64_t k = begin; k < end; ++k, from += 8) {
      double other;
      std::memcpy(&other, from, 8);
      sum[k] += other;
    }
  }
  return absl::OkStatus();
}

absl::Status GramSum::Mirror(Bytes& partial) const {
  if (static_cast<std::int64_t>(partial.size()) != partial_bytes()) {
    return Error(Reason::kInternal,
                 "finish a Gram matrix: partial of another size");
  }
  const auto mirror = [&](auto* sum, auto conjugate) {
    for (std::int64_t i = 0; i < columns_; ++i) {
      for (std::int64_t j = i + 1; j < columns_; ++j) {
        auto& upper = sum[i * columns_ + j];
        auto& lower = sum[j * columns_ + i];
        // Column-major memory holds element (i, j) where row-major has (j, i).
        if (by_columns()) upper = lower;
        lower = conjugate(upper);
      }
    }
  };
  if (is_complex()) {
    mirror(reinterpret_cast<std::complex<double>*>(partial.data()),
           [](std::complex<double> z) { return std::conj(z); });
  } else {
    mirror(reinterpret_cast<double*>(partial.data()),
           [](double x) { return x; });
  }
  return absl::OkStatus();
}

}  // namespace hearth
