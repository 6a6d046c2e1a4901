#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "hearth/matrix/layout.h"

namespace hearth {

// A run of a matrix's bytes, in storage order.
struct ByteRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t count() const { return end - begin; }
};

// Where rows [begin, end) of axis 0 lie, if they lie in one piece:
// BAD_PARAMETER when they don't or when there are no such rows.
absl::StatusOr<ByteRange> BytesOfRows(const MatrixLayout& layout,
                                      std::int64_t begin, std::int64_t end);

}  // namespace hearth
