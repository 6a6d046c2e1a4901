#include "hearth/matrix/row_bytes.h"

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"

namespace hearth {

absl::StatusOr<ByteRange> BytesOfRows(const MatrixLayout& layout,
                                      std::int64_t begin, std::int64_t end) {
  const std::int64_t rows = layout.row_count();
  if (begin < 0 || begin > end || end > rows) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("take rows [", begin, ", ", end,
                              "): the matrix has rows [0, ", rows, ")"));
  }
  const bool whole = begin == 0 && end == rows;
  if (layout.order == Order::kFortran && layout.axis_count() > 1 && !whole) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("take rows [", begin, ", ", end,
                              ") in one piece: the matrix is in Fortran "
                              "order; take all its bytes"));
  }
  const std::int64_t row_bytes = rows == 0 ? 0 : layout.bytes() / rows;
  return ByteRange{begin * row_bytes, end * row_bytes};
}

}  // namespace hearth
