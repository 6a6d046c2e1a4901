#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "hearth/compute/dense/gram_sum.h"
#include "hearth/compute/dense/row_panels.h"
#include "hearth/compute/operation.h"
#include "hearth/matrix/layout.h"

namespace hearth {

// How many rows there are, the mean of each column, and the sum over rows x of
// (x - mean)^H (x - mean): what cov and corrcoef are made of.
//
// No product is of anything but deviations from a mean that is near, so that
// nothing cancels however far the columns are from 0. A panel of rows is cut
// into groups that stay in cache; each is centred about its own mean, and
// brings one more row w with it, such that
//
//   sum of both = sum of left + sum of right + w^H w,
//   w = (mean of right - mean of left) * sqrt(left rows * right rows / rows)
//
// (Chan, Golub and LeVeque). So BLAS joins the groups while it adds them up.
// Means are kept as high + low, and deviations are from both.
//
// A partial is, in this order: the ProductTriangle; the means' high numbers,
// then the low ones, [columns] each of its type; the rows as an int64.
//
// Kind:    immutable value. Threads: any.
// Bound:   partial_bytes() a partial, scratch_bytes() a call.
class Comoments {
 public:
  // Requires a layout of two axes whose ProductTriangle FitsIn() memory.
  explicit Comoments(const MatrixLayout& layout);

  const RowPanels& panels() const { return panels_; }
  std::int64_t columns() const { return triangle_.columns(); }
  bool is_complex() const { return triangle_.is_complex(); }
  std::int64_t partial_bytes() const;
  std::int64_t scratch_bytes() const;

  absl::Status Accumulate(const BlockView& view, Scratch& scratch,
                          Bytes& partial) const;
  absl::Status Combine(Bytes& left, std::span<const std::byte> right) const;
  // The rows there were; the whole square of sums stands in the partial's
  // beginning then, row-major.
  absl::StatusOr<std::int64_t> Finish(Bytes& partial) const;

 private:
  template <class T>
  absl::Status AccumulateAs(const RowPanel& all, Scratch& scratch,
                            Bytes& partial) const;
  template <class T>
  void CombineAs(std::span<const std::byte> right, Bytes& left) const;
  absl::Status Check(std::span<const std::byte> partial) const;

  // Rows of a panel beside its own: a w of each group.
  std::int64_t GroupsMax() const {
    return (panels_.panel_rows() - 1) / group_rows_ + 1;
  }

  ProductTriangle triangle_;
  RowPanels panels_;
  std::int64_t group_rows_;
};

}  // namespace hearth
