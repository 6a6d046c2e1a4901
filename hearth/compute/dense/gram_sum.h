#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "hearth/compute/dense/row_panels.h"
#include "hearth/compute/operation.h"
#include "hearth/matrix/layout.h"

namespace hearth {

// Combining an element of two partials costs about what 60 of its products do
// (1.2 ns against 0.02), so a leaf of 4,096 rows keeps it under 2 %.
inline constexpr std::int64_t kGramLeafRowsMin = 4096;

// A square of products of columns, [columns, columns] of float64 or complex128
// in the matrix's order, as BLAS writes it: one triangle counts (the upper one,
// as element (i, j) is found in that order), the other stays zero.
//
// Kind: value; the memory is somebody else's.
class ProductTriangle {
 public:
  explicit ProductTriangle(const MatrixLayout& layout);

  // Whether it is within limits::kPartialBytesMax.
  static bool FitsIn(const MatrixLayout& layout);

  std::int64_t columns() const { return columns_; }
  bool is_complex() const { return element_bytes_ == 16; }
  std::int64_t element_bytes() const { return element_bytes_; }
  std::int64_t bytes() const { return columns_ * columns_ * element_bytes_; }

  // Adds x^H x of `rows` rows x, which lie by columns where the matrix does.
  absl::Status AddProducts(const BlasPanel<double>& x, std::int64_t rows,
                           std::byte* to) const;
  absl::Status AddProducts(const BlasPanel<std::complex<double>>& x,
                           std::int64_t rows, std::byte* to) const;
  // Adds x^H x of one row x.
  void AddRow(const double* x, std::byte* to) const;
  void AddRow(const std::complex<double>* x, std::byte* to) const;
  // Adds another one, which may lie at any alignment.
  void Add(const std::byte* right, std::byte* to) const;
  // Both triangles, row-major, in place; the diagonal of a complex one is real.
  void Mirror(std::byte* at) const;

 private:
  template <class T>
  void AddRowAs(const T* x, T* to) const;

  bool by_columns_;
  std::int64_t columns_;
  std::int64_t element_bytes_;  // 8 or 16
};

// The sum over rows x of x^H x: what gram adds up, as a partial that BLAS
// writes to directly.
//
// Kind:    immutable value. Threads: any.
// Bound:   partial_bytes() a partial, scratch_bytes() a call.
class GramSum {
 public:
  // Requires a layout of two axes whose ProductTriangle FitsIn() memory.
  explicit GramSum(const MatrixLayout& layout)
      : triangle_(layout),
        panels_(layout, triangle_.element_bytes(), kGramLeafRowsMin) {}

  const RowPanels& panels() const { return panels_; }
  std::int64_t columns() const { return triangle_.columns(); }
  bool is_complex() const { return triangle_.is_complex(); }
  std::int64_t partial_bytes() const { return triangle_.bytes(); }
  std::int64_t scratch_bytes() const {
    return panels_.panel_rows() * columns() * triangle_.element_bytes();
  }

  absl::Status Accumulate(const BlockView& view, Scratch& scratch,
                          Bytes& partial) const;
  absl::Status Combine(Bytes& left, std::span<const std::byte> right) const;
  // The whole square, row-major, in the partial's own memory.
  absl::Status Finish(Bytes& partial) const;

 private:
  template <class T>
  absl::Status AccumulateAs(const RowPanel& all, Scratch& scratch,
                            Bytes& partial) const;

  ProductTriangle triangle_;
  RowPanels panels_;
};

}  // namespace hearth
