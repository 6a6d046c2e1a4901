#include "worker/segments/host_memory.h"

#include <algorithm>
#include <limits>

#include "hearth/shm/memory_limits.h"

namespace hearth::worker {

std::int64_t FreeSegmentBytes(HandoverClient& keeper,
                              std::int64_t segment_bytes_max) {
  std::int64_t free = MemoryLimits().Tightest().free_bytes;
  const bool is_bounded = segment_bytes_max > 0;
  const auto held = keeper.List();
  if (!held.ok()) return is_bounded ? 0 : free;
  std::int64_t left =
      is_bounded ? segment_bytes_max : std::numeric_limits<std::int64_t>::max();
  for (const HeldSegment& one : *held) {
    const auto bytes = static_cast<std::int64_t>(one.bytes);
    if (one.kind == SegmentKind::kFragment) {
      free += bytes;  // gives way
    } else if (!one.is_ticket && one.kind != SegmentKind::kFile) {
      left -= is_bounded ? bytes : 0;
    }
  }
  return std::clamp<std::int64_t>(left, 0, free);
}

}  // namespace hearth::worker
