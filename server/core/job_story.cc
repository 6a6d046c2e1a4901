#include "server/core/job_story.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "hearth/base/error.h"

namespace hearth::server {
namespace {

std::string NameOfPiece(TaskKind kind, LeafRun run) {
  switch (kind) {
    case TaskKind::kPlan:
      return "planning";
    case TaskKind::kCompute:
      return absl::StrCat("leaves [", run.begin, ", ", run.end, ")");
    case TaskKind::kCombine:
      return absl::StrCat("combining leaves [", run.begin, ", ", run.end, ")");
    case TaskKind::kFinish:
      return "finishing";
  }
  return "";
}

// "worker w3 (pid 4711 on a)"
std::string NameOfWorker(const MembershipCore& members, WorkerId worker) {
  const WorkerRecord* record = members.Find(worker);
  if (record == nullptr) return absl::StrCat("worker ", ToString(worker));
  return absl::StrCat("worker ", ToString(worker), " (pid ",
                      record->identity.pid, " on ", record->identity.host, ")");
}

std::string HowItEnded(const MembershipCore& members, WorkerId worker) {
  const WorkerRecord* record = members.Find(worker);
  if (record == nullptr) return "it ended too long ago to be remembered";
  if (record->story.has_value()) return *record->story;
  return record->lost_why;
}

// A keeper's story says more than what the coordinator saw. A worker that came
// back on a new stream has none.
std::string HowAttemptEnded(const MembershipCore& members,
                            const Attempts::Failure& attempt) {
  if (!attempt.worker_lost) return attempt.what;
  const WorkerRecord* record = members.Find(attempt.worker);
  const bool is_told = record != nullptr && record->story.has_value() &&
                       record->state == WorkerState::kLost;
  return absl::StrCat("lost: ", is_told ? *record->story : attempt.what);
}

}  // namespace

std::string Describe(const JobRecord& job) {
  const MatrixRecord& matrix = *job.order->matrix;
  const auto* file = std::get_if<FileSource>(&matrix.source);
  const std::string name =
      matrix.name.empty() && file != nullptr ? file->path : matrix.name;
  return absl::StrCat("run ", job.order->operation, " on \"", name, "\"");
}

absl::Status AttemptsStory(const JobRecord& job, TaskKind kind, LeafRun run,
                           const std::vector<Attempts::Failure>& attempts,
                           const MembershipCore& members) {
  std::string message =
      absl::StrCat(Describe(job), ": ", NameOfPiece(kind, run), " failed ",
                   attempts.size(), " times.");
  int number = 0;
  for (const Attempts::Failure& attempt : attempts) {
    const std::string how = HowAttemptEnded(members, attempt);
    absl::StrAppend(&message, " Attempt ", ++number, ", ",
                    NameOfWorker(members, attempt.worker), ": ", how, ".");
  }
  if (!job.order->replay.empty() && kind == TaskKind::kCompute) {
    absl::StrAppend(&message, " To replay this task alone: ",
                    absl::StrReplaceAll(
                        job.order->replay,
                        {{"{leaves}", absl::StrCat(run.begin, ":", run.end)}}));
  }
  return Error(Reason::kTaskFailed, message);
}

absl::Status NobodyLeftStory(const JobRecord& job, absl::Duration waited,
                             const MembershipCore& members) {
  const std::string seconds = absl::FormatDuration(waited);
  if (!members.ever_joined()) {
    return Error(Reason::kClusterEnded,
                 absl::StrCat(Describe(job), ": no worker joined within ",
                              seconds, "; start one with \"hearth worker\""));
  }
  std::string message = absl::StrCat(
      Describe(job), ": no worker is left and none came within ", seconds, ".");
  const WorkerRecord* last = nullptr;
  const std::vector<WorkerRecord> workers = members.List();
  for (const WorkerRecord& worker : workers) {
    if (worker.state != WorkerState::kLost) continue;
    if (last == nullptr || worker.lost_at >= last->lost_at) last = &worker;
  }
  if (last != nullptr) {
    absl::StrAppend(&message, " The last one, ",
                    NameOfWorker(members, last->id),
                    ", was lost: ", HowItEnded(members, last->id), ".");
  }
  return Error(Reason::kWorkerLost, message);
}

}  // namespace hearth::server
