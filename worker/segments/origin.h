#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "hearth/shm/segment.h"
#include "hearth/transport/reach/segment_reach.h"
#include "protos/matrix.pb.h"

namespace hearth::worker {

// Whether the file behind `fd` is what was published: `note` is a FileSource
// without its path. FILE_CHANGED, or BAD_USAGE for a note that is none.
absl::Status CheckFile(int fd, absl::string_view note);

// Fills `into` with the bytes from `offset` on of what a matrix is made of:
// numbers; or a file, read here where this host sees it or its keeper has it,
// else streamed from the host that does. Memory is looked at on the way.
//
// `progress` is told the bytes that came, by one thread at a time or several,
// and says whether to go on.
absl::Status FillFromOrigin(
    const proto::Origin& origin, std::int64_t offset, const OpenSegment& into,
    SegmentReach& reach, int threads, const std::function<bool()>& cancelled,
    const std::function<absl::Status(std::int64_t)>& progress);

}  // namespace hearth::worker
