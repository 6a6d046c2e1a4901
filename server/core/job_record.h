#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/core/bytes_ref.h"
#include "server/core/ids.h"
#include "server/core/task.h"

namespace hearth::server {

// planning → running (round 0, 1, ...) → finishing → done; failed or cancelled
// from any of the first three.
enum class JobState : std::uint8_t {
  kPlanning,
  kRunning,
  kFinishing,
  kDone,
  kFailed,
  kCancelled,
};
// CONTRACT's words: planning, running and finishing are all "running".
absl::string_view NameOf(JobState state);
constexpr bool HasEnded(JobState state) { return state >= JobState::kDone; }

// What one host did for a job.
struct JobShare {
  int workers_used = 0;
  Traffic traffic{};
  absl::Duration busy{};  // of its threads, in accepted tasks
};

// What is to be known of a job, running or ended.
//
// Kind: value.
struct JobRecord {
  JobId id{};
  std::string client_key{};
  std::shared_ptr<const JobOrder> order{};
  std::shared_ptr<const JobPlan> plan{};  // null while planning
  JobState state = JobState::kPlanning;
  int round = 0;
  std::int64_t leaves_done = 0;  // of this round; 0 while planning
  std::int64_t leaves_total = 0;
  std::int64_t retries = 0;  // tasks given out again after a loss or failure
  int workers_used = 0;      // different ones that had a task of it
  Traffic traffic{};
  std::map<std::string, JobShare> hosts{};
  absl::Time submitted_at{};
  absl::Time ended_at{};
  absl::Status status{};            // why it failed or was cancelled
  std::vector<BytesRef> results{};  // done: opaque bytes or tokens
};

}  // namespace hearth::server
