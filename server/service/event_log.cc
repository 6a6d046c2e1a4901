#include "server/service/event_log.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "hearth/base/log.h"
#include "hearth/base/units.h"

namespace hearth::server {
namespace {

std::string Named(const MatrixRecord& matrix) {
  return absl::StrCat(
      matrix.name.empty() ? "a file" : absl::StrCat("\"", matrix.name, "\""),
      ", ", NameOf(matrix.layout.type), " ",
      hearth::ToString(matrix.layout.shape));
}

}  // namespace

void EventLog::Hear(const Event& event) {
  if (!IsLogging()) return;
  if (const auto* story = std::get_if<WorkerStory>(&event)) {
    // Each worker of the host tells it.
    if (std::exchange(last_story_, story->story) == story->story) return;
    Log(absl::StrCat("process ", story->pid, " of ", story->host, ": ",
                     story->story));
  } else if (const auto* reported = std::get_if<WorkerReported>(&event)) {
    for (const Report& report : reported->reports) {
      const auto* failed = std::get_if<TaskFailed>(&report);
      if (failed == nullptr) continue;
      Log(absl::StrCat("a task of ", ToString(failed->job), " failed at ",
                       ToString(reported->worker), ": ",
                       failed->status.message()));
    }
  } else if (const auto* drain = std::get_if<DrainWorker>(&event)) {
    Log(absl::StrCat(ToString(drain->worker), " is to be drained"));
  } else if (const auto* leaves = std::get_if<HostLeaves>(&event)) {
    Log(absl::StrCat("the host of ", ToString(leaves->worker), " leaves"));
  } else if (const auto* cancel = std::get_if<CancelJob>(&event)) {
    Log(absl::StrCat(ToString(cancel->job), " is to be cancelled"));
  } else if (const auto* past = std::get_if<Recovered>(&event)) {
    Log(absl::StrCat("started again, with ", past->matrices.size(),
                     " matrices and ", past->jobs.size(), " jobs"));
  }
}

void EventLog::Note(const Action& action, const CoordinatorCore& core) {
  if (!IsLogging()) return;
  if (const auto* refuse = std::get_if<Refuse>(&action)) {
    Log(absl::StrCat(ToString(refuse->worker),
                     " is refused: ", refuse->status.message()));
  } else if (const auto* kept = std::get_if<KeepMatrix>(&action)) {
    Log(absl::StrCat("matrix ", Named(*kept->matrix)));
  } else if (const auto* gone = std::get_if<ForgetMatrix>(&action)) {
    Log(absl::StrCat("matrix \"", gone->name, "\" is removed"));
  } else if (const auto* copy = std::get_if<CopySegment>(&action)) {
    Log(absl::StrCat(ToString(copy->worker), " copies ",
                     FormatBytes(copy->bytes)));
  } else if (const auto* updated = std::get_if<JobUpdated>(&action)) {
    NoteJob(updated->job, core);
  } else if (const auto* evicted = std::get_if<JobEvicted>(&action)) {
    jobs_.erase(evicted->job);
  }
}

void EventLog::NoteJob(JobId job, const CoordinatorCore& core) {
  const auto record = core.FindJob(job);
  if (!record.has_value()) return;
  const auto [told, is_new] = jobs_.emplace(job, JobState::kPlanning);
  if (is_new) {
    Log(absl::StrCat(ToString(job), ": ", record->order->operation, " of ",
                     Named(*record->order->matrix)));
  }
  if (HasEnded(told->second) || !HasEnded(record->state)) return;
  told->second = record->state;
  Log(absl::StrCat(
      ToString(job), ": ", NameOf(record->state), " after ",
      absl::FormatDuration(record->ended_at - record->submitted_at), ", ",
      record->workers_used, " workers, ", record->retries, " retries",
      record->status.ok() ? "" : ": ", record->status.message()));
}

void EventLog::LookAtMembers(const CoordinatorCore& core) {
  if (!IsLogging()) return;
  std::map<WorkerId, WorkerState> now;
  for (const WorkerRecord& record : core.members().List()) {
    now.emplace(record.id, record.state);
    const auto told = members_.find(record.id);
    if (told != members_.end() && told->second == record.state) continue;
    const bool is_lost = record.state == WorkerState::kLost;
    Log(absl::StrCat(ToString(record.id), " is ", NameOf(record.state),
                     ", process ", record.identity.pid, " of ",
                     record.identity.host, is_lost ? ": " : "",
                     is_lost ? record.lost_why : ""));
  }
  members_ = std::move(now);
}

}  // namespace hearth::server
