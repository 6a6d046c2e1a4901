// What a person is told about a job that failed.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "hearth/matrix/run_tree.h"
#include "server/core/attempts.h"
#include "server/core/job_record.h"
#include "server/core/membership_core.h"
#include "server/core/task.h"

namespace hearth::server {

// TASK_FAILED with the story of each attempt at this piece of the job, and the
// command that replays it alone.
absl::Status AttemptsStory(const JobRecord& job, TaskKind kind, LeafRun run,
                           const std::vector<Attempts::Failure>& attempts,
                           const MembershipCore& members);

// WORKER_LOST or CLUSTER_ENDED: nobody is left, and how the last ones ended.
absl::Status NobodyLeftStory(const JobRecord& job, absl::Duration waited,
                             const MembershipCore& members);

// `run sum on "m17"`
std::string Describe(const JobRecord& job);

}  // namespace hearth::server
