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

// What travels with a segment: how to read its bytes.
struct SegmentNote {
  MatrixLayout layout = {};
  // Not empty: what NumPy alone can read, in its own words; `layout` says so
  // many uint8 then.
  std::string numpy = {};
};

// The keeper of this process's handles holds a duplicate of `fd` from now on.
// `offset`: where the layout's bytes begin in a file.
absl::StatusOr<std::string> HandOut(int fd, SegmentKind kind,
                                    const SegmentNote& note,
                                    std::int64_t offset = 0);

// One more reader will come with a handle that this process gave out of what it
// holds still. False: give another, its keeper knows of it no more.
absl::StatusOr<bool> HandOutAgain(absl::string_view handle);

struct OpenedHandle {
  UniqueFd fd;
  SegmentKind kind = SegmentKind::kSealed;
  MatrixLayout layout;
  std::string numpy;        // of the note
  std::int64_t offset = 0;  // of kFile
};
// kCall: it came with a call or from the gateway, whose caller may have made it
// up; see TicketOffice::Open.
enum class HandleFrom { kUser, kCall };
absl::StatusOr<OpenedHandle> OpenHandle(absl::string_view handle,
                                        HandleFrom from = HandleFrom::kUser);

}  // namespace hearth::client
