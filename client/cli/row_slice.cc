#include "client/cli/row_slice.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/matrix/byte_order.h"

namespace hearth::client {

absl::Status CheckRows(absl::string_view name, const MatrixLayout& layout,
                       std::int64_t begin, std::int64_t end) {
  if (!layout.shape.empty() && end <= layout.row_count()) {
    return absl::OkStatus();
  }
  return Error(
      Reason::kBadParameter,
      absl::StrCat("take rows ", begin, ":", end, " of \"", name,
                   "\": it has shape ", ToString(layout.shape),
                   layout.shape.empty() ? "; take all of it, without --rows"
                                        : absl::StrCat("; take some of 0:",
                                                       layout.row_count())));
}

absl::StatusOr<RowSlice> TakeRows(const Matrix& matrix, bool some,
                                  std::int64_t begin, std::int64_t end) {
  const MatrixLayout& layout = matrix.layout();
  RowSlice slice{.shape = layout.shape,
                 .order = layout.order,
                 .bytes = matrix.bytes(),
                 .gathered = {}};
  if (some) {
    const std::int64_t rows = layout.row_count();
    slice.shape[0] = end - begin;
    if (layout.order == Order::kC || layout.axis_count() == 1) {
      HEARTH_ASSIGN_OR_RETURN(slice.bytes, matrix.Rows(begin, end));
    } else {
      // A column-major matrix: each column gives its run of these rows.
      const std::int64_t element = BytesOf(layout.type);
      const std::int64_t columns =
          rows == 0 ? 0 : layout.element_count() / rows;
      const auto run = static_cast<std::size_t>((end - begin) * element);
      slice.gathered.resize(run * static_cast<std::size_t>(columns));
      for (std::int64_t column = 0; column < columns; ++column) {
        std::memcpy(
            slice.gathered.data() + run * static_cast<std::size_t>(column),
            matrix.bytes().data() + (column * rows + begin) * element, run);
      }
      slice.bytes = slice.gathered;
    }
  }
  if (layout.byte_order == ByteOrder::kForeign && !slice.bytes.empty()) {
    std::vector<std::byte> native(slice.bytes.size());
    SwapBytes(slice.bytes.data(), native.data(),
              static_cast<std::int64_t>(native.size()) / BytesOf(layout.type),
              layout.type);
    slice.gathered = std::move(native);
    slice.bytes = slice.gathered;
  }
  return slice;
}

}  // namespace hearth::client
