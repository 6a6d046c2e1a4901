// Handles: a matrix as a text under 200 bytes.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/base/unique_fd.h"
#include "hearth/matrix/layout.h"
#include "hearth/transport/handover/segment_card.h"

namespace hearth::client {

// The keeper of this process's handles holds a duplicate of `fd` from now on.
absl::StatusOr<std::string> HandOut(int fd, SegmentKind kind,
                                    const MatrixLayout& layout);

struct OpenedHandle {
  UniqueFd fd;
  SegmentKind kind = SegmentKind::kSealed;
  MatrixLayout layout;
};
absl::StatusOr<OpenedHandle> OpenHandle(absl::string_view handle);

// Where rows [begin, end) of axis 0 lie, if they lie in one piece:
// BAD_PARAMETER when they don't or when there are no such rows.
struct ByteRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};
absl::StatusOr<ByteRange> RowsOf(const MatrixLayout& layout, std::int64_t begin,
                                 std::int64_t end);

}  // namespace hearth::client
