// What the coordinator asks of the world in reply. In order: actions for one
// worker are sent in the order given, over its one stream. Actions for a worker
// whose stream is gone are dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "hearth/base/id.h"
#include "server/core/events.h"
#include "server/core/ids.h"
#include "server/core/task.h"

namespace hearth::server {

// --- answers -----------------------------------------------------------------

struct Answer {
  CallId call = 0;
  absl::Status status{};
  JobId job{};                   // of SubmitJob
  std::int64_t bytes_moved = 0;  // of DrainWorker
};
struct Welcome {
  CallId call = 0;
  WorkerId worker{};
  std::uint64_t epoch = 0;
};
// This epoch is over: close the stream; the process may join again.
struct Refuse {
  WorkerId worker{};
  std::uint64_t epoch = 0;
  absl::Status status{};
};

// --- to a worker -------------------------------------------------------------

// What the tasks of this job and round are about; comes before the first of
// them. A later round ends the earlier ones.
struct Brief {
  WorkerId worker{};
  JobId job{};
  int round = 0;
  std::shared_ptr<const JobOrder> order{};
  std::shared_ptr<const JobPlan> plan{};  // null before the job is planned
  BytesRef state{};                       // of the round; empty in round 0
};
struct Assign {
  WorkerId worker{};
  std::vector<Task> tasks{};  // behind what it has
};
// Not wanted any more from this worker, started or not: another one has it.
struct Revoke {
  WorkerId worker{};
  std::vector<TaskId> tasks{};
};
// Another worker has the leaves from new_end on. A worker that has begun some
// of them finishes the one it is at, leaves the rest, and commits what it has.
struct Shrink {
  WorkerId worker{};
  TaskId task{};
  std::int64_t new_end = 0;
};
// The job has ended: drop its tasks and whatever is cached for it.
struct ReleaseJob {
  WorkerId worker{};
  JobId job{};
};
// Batches up to this one need not be sent again.
struct Acknowledge {
  WorkerId worker{};
  std::uint64_t sequence = 0;
};

// Fetch this segment, whole, and have the host's keeper hold it; answer
// SegmentCopied. `from`: where it lies, any will do. With an origin there is no
// segment yet: make it of these bytes.
struct CopySegment {
  WorkerId worker{};
  std::uint64_t order = 0;
  Id segment{};  // what its bytes are named by, wherever they lie
  std::vector<Replica> from{};
  std::int64_t bytes = 0;
  OriginPtr origin{};       // null: `from`
  std::int64_t offset = 0;  // of the origin's bytes
};
// Nobody wants that copy any more.
struct StopCopy {
  WorkerId worker{};
  std::uint64_t order = 0;
};
// It has nothing to do here any more: the process ends, and its keeper starts
// no other. After this the worker is lost.
struct Dismiss {
  WorkerId worker{};
  std::uint64_t epoch = 0;
  std::string lost{};  // what its host takes along, for its log; empty: nothing
};

// --- to a host, and to who watches -------------------------------------------

// Nobody needs these segments: any worker of the host, or its keeper, lets go.
// May name a token that is gone already.
struct DropTokens {
  std::string host{};
  std::vector<Id> tokens{};
};
// No matrix has this segment any more: every worker lets go of its mapping, and
// its host of a copy.
struct MatrixGone {
  Id token{};
};
// Look at CoordinatorCore::FindJob. After every change of state; progress at
// most every CoordinatorOptions::progress_interval. Once a Handle, at its end.
struct JobUpdated {
  JobId job{};
};
// Kept no longer: FindJob does not know it from now on.
struct JobEvicted {
  JobId job{};
};

// --- to the journal ----------------------------------------------------------
// Written before the answer of the same Handle is given.

struct KeepMatrix {
  MatrixPtr matrix{};
};
struct ForgetMatrix {
  std::string name{};
};
// As CoordinatorCore::KeptJobOf has it now. JobEvicted ends it.
struct KeepJob {
  JobId job{};
};

using Action =
    std::variant<Answer, Welcome, Refuse, Brief, Assign, Revoke, Shrink,
                 ReleaseJob, Acknowledge, CopySegment, StopCopy, Dismiss,
                 DropTokens, MatrixGone, JobUpdated, JobEvicted, KeepMatrix,
                 ForgetMatrix, KeepJob>;

}  // namespace hearth::server
