// What the world tells the coordinator.
//
// `call` is a number that the shell chooses where somebody waits for an answer:
// exactly one Answer (or Welcome) with it is among the actions of that very
// Handle; of a PutMatrix with replicas or an origin and of a DrainWorker, which
// take their time, of that one or a later one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "hearth/base/id.h"
#include "server/core/job_record.h"
#include "server/core/membership_core.h"
#include "server/core/task.h"

namespace hearth::server {

using CallId = std::uint64_t;

// --- workers -----------------------------------------------------------------

struct WorkerJoined {
  CallId call = 0;
  WorkerIdentity identity{};
  std::int64_t free_bytes = 0;  // for segments of its host
};
struct Heartbeat {
  WorkerId worker{};
  std::uint64_t epoch = 0;
  std::int64_t free_bytes = 0;
  bool is_copying = false;  // bytes have come for a copy since the last one
};
// So long the first bytes took that it streamed for a task under way.
struct StreamPaced {
  WorkerId worker{};
  std::uint64_t epoch = 0;
  std::int64_t bytes = 0;
  absl::Duration took{};
};
// Its stream broke. After this nothing of that epoch is handed in any more.
struct WorkerLost {
  WorkerId worker{};
  std::uint64_t epoch = 0;
  std::string what{};
};
// From its keeper, through any worker of the host, before or after WorkerLost:
// exit code or signal, OOM evidence, last log lines.
struct WorkerStory {
  std::string host{};
  std::int64_t pid = 0;
  std::string story{};
};
// Segments whose makers are dead, workers or clients: those that nobody has
// named are dropped. Told some seconds after a death, and again until they are
// gone.
struct TokensLeft {
  std::string host{};
  std::vector<Id> tokens{};
};
// A batch of reports. Reports arrive in order within an epoch; what was not
// acknowledged when a stream broke is sent again in the next one.
struct WorkerReported {
  WorkerId worker{};
  std::uint64_t epoch = 0;
  std::uint64_t sequence = 0;  // of the batch, for Acknowledge
  std::vector<Report> reports{};
};
// Finish what it runs, hand over what only its host holds, and end it.
struct DrainWorker {
  CallId call = 0;
  WorkerId worker{};
};
// Its whole host is to end: all of its workers are drained. Where that can't
// be, they end all the same.
struct HostLeaves {
  WorkerId worker{};
  std::uint64_t epoch = 0;
};

// --- clients -----------------------------------------------------------------

// A matrix by its name in the catalog, or as itself.
using MatrixRef = std::variant<std::string, MatrixRecord>;

struct JobSpec {
  std::string operation{};
  std::string arguments{};
  MatrixRef matrix{};
  std::map<std::string, MatrixRef> parameters{};
  int max_workers = 0;
  std::string replay{};
};
// The same key again, after a reconnect, answers with the same job.
struct SubmitJob {
  CallId call = 0;
  std::string client_key{};
  JobSpec spec{};
};
struct CancelJob {
  CallId call = 0;
  JobId job{};
};
// Nobody wants its result any more: kept no longer than it runs.
struct ForgetJob {
  JobId job{};
};
struct PutMatrix {
  CallId call = 0;
  MatrixRecord record{};
  bool replace = false;
  int replicas = 1;  // hosts that are to hold it when this is answered
  // Of an unmade record: what it is made of, in one piece or several.
  OriginPtr origin{};
  // What is replaced is held until PutWritten tells whether it has to come
  // back.
  bool holds_replaced = false;
};
// Whether the journal has what was put, right after its OK answer. If not, its
// name means again what it meant before.
struct PutWritten {
  CallId call = 0;
  std::string name{};
  bool is_written = true;
};
struct SealMatrix {
  CallId call = 0;
  std::string name{};
};
struct RemoveMatrix {
  CallId call = 0;
  std::string name{};
};

// --- its own past ------------------------------------------------------------

// A job as the journal has it: all but its leaves, which workers report anew.
struct KeptJob {
  JobRecord record{};
  BytesRef round_state{};
};
// What an earlier coordinator of the same journal knew when it ended. The first
// event, or none.
struct Recovered {
  std::uint64_t life = 1;  // how many coordinators there were before this one
  std::uint64_t next_worker = 1;
  std::uint64_t next_job = 1;
  std::vector<MatrixRecord> matrices{};
  std::vector<KeptJob> jobs{};  // those that ended, in the order they did
};

// Every 100 ms or so. Leases, stories that never came, nobody left to work.
struct TimePassed {};

using Event =
    std::variant<WorkerJoined, Heartbeat, StreamPaced, WorkerLost, WorkerStory,
                 TokensLeft, WorkerReported, DrainWorker, HostLeaves, SubmitJob,
                 CancelJob, ForgetJob, PutMatrix, PutWritten, SealMatrix,
                 RemoveMatrix, Recovered, TimePassed>;

}  // namespace hearth::server
