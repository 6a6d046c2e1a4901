#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "hearth/compute/operation.h"
#include "hearth/compute/share.h"
#include "hearth/matrix/layout.h"
#include "hearth/matrix/partition.h"

namespace hearth {

// The sum over rows x of (x - shift)^H (x - shift): what gram, cov and corrcoef
// add up, as a partial that BLAS writes to directly.
//
// The partial is [columns, columns] of float64 or complex128 in the matrix's
// order; one triangle of it counts (At() knows which), the other stays zero.
//
// BLAS is called with the same panels of rows whether it may read the matrix in
// place or a converted copy in scratch, since its last bits depend on them.
//
// Kind:    immutable value. Threads: any.
// Bound:   partial_bytes() a partial, scratch_bytes() a call.
class GramSum {
 public:
  // Requires a layout of two axes whose partial FitsIn() memory.
  explicit GramSum(const MatrixLayout& layout);

  // Whether a partial of that many columns is within limits::kPartialBytesMax.
  static bool FitsIn(const MatrixLayout& layout);

  std::int64_t columns() const { return columns_; }
  bool is_complex() const { return element_bytes_ == 16; }
  std::int64_t partial_bytes() const;
  std::int64_t scratch_bytes() const;
  int leaf_blocks_log2() const;
  // A row block of a column-major matrix is a run of columns, but it stands for
  // a share of the rows here. And where a block has too few rows for BLAS, the
  // first of several takes them all.
  bool needs_whole_matrix() const {
    return by_columns() || blocks_at_once_ > 1;
  }

  // `shift` has a number a column, or none: it is subtracted first.
  absl::Status Accumulate(const BlockView& view, std::span<const double> shift,
                          Scratch& scratch, Bytes& partial) const;
  absl::Status Accumulate(const BlockView& view,
                          std::span<const std::complex<double>> shift,
                          Scratch& scratch, Bytes& partial) const;
  absl::Status Combine(Bytes& left, std::span<const std::byte> right) const;

  // Both triangles, row-major, in the partial's own memory; the diagonal of a
  // complex one is real.
  absl::Status Mirror(Bytes& partial) const;

 private:
  bool by_columns() const { return layout_.order == Order::kFortran; }
  std::int64_t BlocksAtOnce() const;
  // Rows that `block` stands for, counted from where its view begins.
  Share RowsOf(const RowBlock& block) const;

  template <class T>
  absl::Status AccumulateAs(const BlockView& view, std::span<const T> shift,
                            Scratch& scratch, Bytes& partial) const;

  MatrixLayout layout_;
  Partition partition_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::int64_t element_bytes_;  // of the partial: 8 or 16
  std::int64_t panel_rows_;
  std::int64_t blocks_at_once_;  // a power of two, within a leaf
};

}  // namespace hearth
