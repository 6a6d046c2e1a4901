// Getting bytes into a segment: touching new pages is what costs (the kernel
// zeroes or copies each, a few microseconds a page), so several threads do it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "absl/status/status.h"
#include "hearth/shm/file_source.h"
#include "hearth/shm/memory_limits.h"
#include "hearth/shm/segment.h"

namespace hearth {

struct FillOptions {
  int threads = 0;  // 0: as many as this process may run on
};

// Copies `from` to [offset, offset + from.size()) of `segment`. The limits are
// read again for each limits::kFillCheckBytes: OUT_OF_MEMORY when what is left
// doesn't fit any more; the segment is then partly filled.
absl::Status CopyIntoSegment(const OpenSegment& segment, std::int64_t offset,
                             std::span<const std::byte> from,
                             const MemoryLimits& limits,
                             const FillOptions& options = {});

// The same, and gives the pages of `from` back to the kernel as it goes, so
// that both together never take much more than one. What was there reads as
// zeros then, save for a page here and there that was not wholly within a
// piece. Where it fails, what was moved comes back first.
absl::Status MoveIntoSegment(const OpenSegment& segment, std::int64_t offset,
                             std::span<std::byte> from,
                             const MemoryLimits& limits,
                             const FillOptions& options = {});

// Moves [offset, offset + to.size()) of an open segment back, its pages given
// to the kernel as it goes.
absl::Status MoveOutOfSegment(const OpenSegment& segment, std::int64_t offset,
                              std::span<std::byte> to);

// The same from [from_offset, from_offset + bytes) of a file. FILE_CHANGED when
// it ends before.
absl::Status CopyFileIntoSegment(const OpenSegment& segment,
                                 std::int64_t offset, const FileSource& file,
                                 std::int64_t from_offset, std::int64_t bytes,
                                 const MemoryLimits& limits,
                                 const FillOptions& options = {});

// The same with what `make` writes into the spans that it is given: `begin` is
// where the span lies, from 0 to `bytes`. Called by several threads at once.
using MakeBytes =
    std::function<absl::Status(std::int64_t begin, std::span<std::byte> to)>;
absl::Status MakeInSegment(const OpenSegment& segment, std::int64_t offset,
                           std::int64_t bytes, const MakeBytes& make,
                           const MemoryLimits& limits,
                           const FillOptions& options = {});

}  // namespace hearth
