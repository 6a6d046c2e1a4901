#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "hearth/base/mutex.h"
#include "hearth/shm/segment.h"
#include "hearth/transport/reach/segment_reach.h"

namespace hearth::worker {

// The segments of matrices that this worker has mapped, kept from one job to
// the next: mapping 4 GiB anew costs as much as adding it up. Each is let go of
// when its matrix is gone, when many others were used since, or when the worker
// was away from its coordinator and can't know what is gone.
//
// Kind:    resource. Threads: any.
// Bound:   kKeptMax segments beside those that jobs use.
class KeptSegments {
 public:
  static constexpr std::size_t kKeptMax = 64;

  // `reach` outlives it.
  explicit KeptSegments(SegmentReach& reach) : reach_(reach) {}

  // All of it, mapped; null where it lies on another host. Fails: what
  // SegmentReach::Fetch says.
  absl::StatusOr<std::shared_ptr<const SealedSegment>> Map(
      const SegmentPlace& place) ABSL_LOCKS_EXCLUDED(mutex_);

  // No matrix has it any more.
  void Forget(const Id& token) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether that was said lately.
  bool IsGone(const Id& token) ABSL_LOCKS_EXCLUDED(mutex_);
  void Clear() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Kept {
    Id token;  // what the bytes are named by
    std::shared_ptr<const SealedSegment> segment;
  };
  // `cleared`: as many times as when it was asked for.
  std::shared_ptr<const SealedSegment> Keep(const Id& token,
                                            SealedSegment segment,
                                            std::uint64_t cleared)
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<const SealedSegment> Find(const Id& token)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  SegmentReach& reach_;
  Mutex mutex_;
  std::list<Kept> kept_ ABSL_GUARDED_BY(mutex_);  // least recently used first
  // Gone lately: a job that was cancelled may come for its matrix too late.
  std::deque<Id> gone_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t cleared_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hearth::worker
