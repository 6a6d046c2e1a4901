#pragma once

#include "absl/time/time.h"
#include "hearth/base/clock.h"
#include "hearth/base/mutex.h"

namespace hearth {

// Another clock, without the stretches in which its owner stood still: a disk
// that took seconds, a debugger, a machine that slept. Nobody could be heard
// then, so nobody was silent. Such a stretch is one longer than `still` between
// two readings, so the owner has to read it more often; it counts as `still`.
//
// Threads: any.
class AwakeClock final : public Clock {
 public:
  AwakeClock(const Clock& clock, absl::Duration still)
      : clock_(clock), still_(still), read_at_(clock.Now()) {}

  absl::Time Now() const override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    const absl::Time now = clock_.Now();
    const absl::Duration gap = now - read_at_;
    if (gap > still_) left_out_ += gap - still_;
    read_at_ = now;
    return now - left_out_;
  }

 private:
  const Clock& clock_;
  const absl::Duration still_;
  mutable Mutex mutex_;
  mutable absl::Time read_at_ ABSL_GUARDED_BY(mutex_);
  mutable absl::Duration left_out_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hearth
