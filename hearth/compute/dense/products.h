// Products of stored rows with a vector, for every type of element and for the
// three types that are computed in: double, std::complex<double>, and
// std::uint64_t for integers and bool.
//
// Both add to what is there. The bits depend on the values and the shape alone,
// not on the type that holds the values, the byte order or the alignment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hearth/compute/dense/operand.h"
#include "hearth/compute/operation.h"
#include "hearth/matrix/element_type.h"

namespace hearth {

// Part of a matrix as it lies in memory.
struct StoredRows {
  NamedElementType type;
  const std::byte* data;
  std::int64_t rows;
  std::int64_t stride;  // elements from one row to the next
  std::int64_t width;   // elements of each that are meant
};

// For A the three types above.
template <class A>
struct Products {
  // Of Add*: buffers in scratch. What the caller keeps there stands behind.
  static std::int64_t scratch_bytes();

  // dots[i] += row i times operand[begin, begin + width).
  static void AddDots(const StoredRows& x, const VectorOperand& operand,
                      std::int64_t begin, std::byte* scratch, A* dots);
  // sums[k] += column k times operand[begin, begin + rows).
  static void AddColumns(const StoredRows& x, const VectorOperand& operand,
                         std::int64_t begin, std::byte* scratch, A* sums);
};

}  // namespace hearth
