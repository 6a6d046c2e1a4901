#include "worker/segments/host_memory.h"

#include <algorithm>

#include "hearth/shm/memory_limits.h"

namespace hearth::worker {

std::int64_t HostMemory::Free() {
  if (const auto held = keeper_.List(); held.ok()) {
    held_bytes_ = 0;
    cached_bytes_ = 0;
    for (const HeldSegment& one : *held) {
      const auto bytes = static_cast<std::int64_t>(one.bytes);
      if (one.kind == SegmentKind::kFragment) {
        cached_bytes_ += bytes;  // gives way
      } else if (!one.is_ticket && one.kind != SegmentKind::kFile) {
        held_bytes_ += bytes;
      }
    }
  }
  const std::int64_t free =
      MemoryLimits().Tightest().free_bytes + cached_bytes_;
  if (!is_bounded_) return std::max<std::int64_t>(free, 0);
  return std::clamp<std::int64_t>(bytes_max_ - held_bytes_, 0,
                                  std::max<std::int64_t>(free, 0));
}

}  // namespace hearth::worker
