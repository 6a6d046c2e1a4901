// Kernels of matrix-vector products. Only types and declarations here: this
// header is compiled for three processors at once (see variant.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "hearth/compute/kernels/kernel.h"

namespace hearth::kernels {

// Rows of `width` elements each, `stride` bytes from one to the next.
struct RowSpan {
  const std::byte* data;
  std::int64_t rows;
  std::int64_t stride;
  std::int64_t width;
};

// Products with float64 weights, unless said otherwise, added up in float64.
//
// Every pointer may have any alignment. The bits depend on the values, the
// number of rows and the width alone: each variant gives the same, and a type
// gives what its elements converted to float64 give.
struct ProductKernels {
  // dots[i] += the sum of row[i][k] * weights[k].
  void (*dot)(const RowSpan& x, const std::byte* weights, double* dots);
  // The same bits sooner, where every weight is what some float32 converts to.
  void (*dot_narrow)(const RowSpan& x, const std::byte* weights, double* dots);
  // The same with weights of the rows' own type.
  void (*dot_alike)(const RowSpan& x, const std::byte* weights, double* dots);
  // sums[k] += the sum of weights[i] * row[i][k], tile by tile of
  // kCombineRows rows.
  void (*combine)(const RowSpan& x, const std::byte* weights, double* sums);
  // As dot_narrow is to dot.
  void (*combine_narrow)(const RowSpan& x, const std::byte* weights,
                         double* sums);
};

inline constexpr std::int64_t kCombineRows = 256;

// Null for types that have no kernel of their own: convert them to float64.
const ProductKernels* FindProductKernels(Scalar scalar);

}  // namespace hearth::kernels
