#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/compute/operation.h"
#include "hearth/shm/segment.h"
#include "hearth/transport/handover/handover_client.h"
#include "hearth/transport/reach/segment_reach.h"
#include "worker/core/task.h"

namespace hearth::worker {

// Partials, states and results as bytes: in a message while they are small, in
// a segment that the keeper holds when they are not.
//
// Kind:    resource. Threads: any.
class SegmentStore {
 public:
  explicit SegmentStore(SegmentReach& reach)
      : reach_(reach), keeper_(reach.own()) {}

  // Up to limits::kInlineBytesMax inline, more as a fresh sealed segment.
  absl::StatusOr<BytesRef> Put(std::span<const std::byte> bytes);
  // SEGMENT_GONE when nobody holds them any more. `cancelled` is asked while
  // they come from another host.
  absl::StatusOr<Bytes> Get(const BytesRef& ref,
                            const std::function<bool()>& cancelled);

  // A result that tasks of several workers write into.
  absl::StatusOr<Id> CreateResult(std::int64_t bytes);
  // Nothing where it is sealed already: another attempt has finished it.
  absl::StatusOr<std::optional<OpenSegment>> OpenResult(const Id& token);
  // Sealed, or inline where it is small (and the segment dropped).
  absl::StatusOr<BytesRef> SealResult(const Id& token);

  void Drop(std::span<const Id> tokens);

 private:
  SegmentReach& reach_;
  HandoverClient& keeper_;
};

}  // namespace hearth::worker
