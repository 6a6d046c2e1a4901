#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace hearth::server {

// What a coordinator is started with. The defaults are the product's; tests
// shorten them.
struct CoordinatorOptions {
  // Three missed heartbeats of 1 s; a broken stream is noticed at once anyway.
  absl::Duration lease = absl::Seconds(5);
  // How long a job that is about to fail waits for its workers' stories.
  absl::Duration story_wait = absl::Seconds(2);
  // How long jobs wait for a worker when there is none.
  absl::Duration workerless_wait = absl::Seconds(10);
  // A host is missed for this long before it is lost: twice what TCP needs to
  // notice that a cable is back after five seconds.
  absl::Duration host_grace = absl::Seconds(8);
  // A copy to another host that brings nothing for so long has failed.
  absl::Duration copy_stall = absl::Seconds(60);
  // How long a draining worker may go on with what it runs.
  absl::Duration drain_wait = absl::Seconds(10);
  // After a restart: how long adopted jobs wait for workers to say what they
  // have of them, and how long workers may take to come back at all.
  absl::Duration adopt_wait = absl::Seconds(1);
  absl::Duration rejoin_wait = absl::Seconds(30);
  absl::Duration progress_interval = absl::Milliseconds(50);

  // Work that a worker should have waiting, so that it never waits itself: a
  // few round trips' worth.
  absl::Duration queue_ahead = absl::Milliseconds(5);
  int queue_ahead_tasks_max = 1024;
  // Smaller tasks are not worth a message, larger ones are hard to share out.
  absl::Duration task_time_min = absl::Milliseconds(4);

  // A cover of partials is combined by a worker as soon as this many bytes of
  // it lie side by side; a token counts as this much. Keeps what the
  // coordinator holds, and every message, well below limits::kMessageBytesMax.
  std::int64_t combine_bytes = 256 * 1024;
  int combine_inputs_max = 2048;

  // Ended jobs that can still be asked for.
  std::size_t ended_jobs_max = 256;
  std::int64_t ended_bytes_max = 64 * 1024 * 1024;
  // Within this time a client comes for its result: neither bound is kept, but
  // for this many jobs, and half of what memory is free where a result lies.
  absl::Duration ended_fresh = absl::Seconds(5);
  std::size_t ended_fresh_jobs_max = 4096;

  // Tests only: lose the tasks of lost workers, to see that the simulation
  // notices.
  bool drop_requeue_for_test = false;
  // Likewise: never make up for replicas that were lost.
  bool no_mending_for_test = false;
};

}  // namespace hearth::server
