#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/hearth.h"

namespace hearth::client {

// Rows of a matrix as one contiguous array: a view where they lie together,
// gathered where they don't (rows of a column-major matrix).
struct RowSlice {
  Shape shape;
  Order order = Order::kC;
  std::span<const std::byte> bytes;
  std::vector<std::byte> gathered;  // what `bytes` views, if it had to be made
};

// BAD_PARAMETER when the matrix of that name has no such rows.
absl::Status CheckRows(absl::string_view name, const MatrixLayout& layout,
                       std::int64_t begin, std::int64_t end);

// All of it unless `some`; then those rows, which are there. Native byte order
// always.
absl::StatusOr<RowSlice> TakeRows(const Matrix& matrix, bool some,
                                  std::int64_t begin, std::int64_t end);

}  // namespace hearth::client
