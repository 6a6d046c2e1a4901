// What workers report, and how jobs end.
#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/matrix/partition.h"
#include "server/core/coordinator_impl.h"
#include "server/core/job_story.h"

namespace hearth::server {

CoordinatorCore::Impl::Live* CoordinatorCore::Impl::Running(JobId job) {
  const auto found = live_.find(job);
  if (found == live_.end() || found->second->failing.has_value()) {
    return nullptr;
  }
  return found->second.get();
}

void CoordinatorCore::Impl::On(const Sender& sender, Commit& commit) {
  commit.partial.host = sender.host;
  Live* live = Running(commit.job);
  std::optional<InFlight> task =
      commit.task_done ? scheduler_.TakeAnswered(sender.worker, commit.task)
                       : scheduler_.FindTask(sender.worker, commit.task);
  if (live == nullptr) {
    tokens_.DropUnlessLive(commit.partial);
    return;
  }
  const LeafRun run = commit.run;
  const JobCore::Verdict verdict = live->core.OnCommit(commit);
  if (task.has_value() && task->job == commit.job) {
    if (verdict == JobCore::Verdict::kBad) {
      return CountFailure(
          commit.job, *live, *task,
          {.kind = task->kind,
           .round = task->round,
           .run = task->run,
           .worker = sender.worker,
           .what =
               absl::StrCat("it committed leaves [", run.begin, ", ", run.end,
                            "), or a partial of a size, that no "
                            "task of this job can give"),
           .at = now_});
    }
    if (task->kind == TaskKind::kCompute &&
        verdict == JobCore::Verdict::kAccepted) {
      const bool streamed = commit.traffic.bytes_streamed > 0;
      if (streamed) {
        // Now it is known how fast the host gets bytes.
        look_at_everyone_ |= scheduler_.NoteStream(
            sender.host, commit.traffic.bytes_streamed, commit.busy);
      } else {
        // Now it is known whether it pays to cross hosts.
        look_at_everyone_ |= !live->core.is_measured();
        live->core.Measure(run, commit.busy);
      }
      const absl::Duration mean = live->core.leaf_time() * run.leaf_count();
      if (mean > absl::ZeroDuration()) {
        scheduler_.NoteSlowness(sender.worker,
                                absl::FDivDuration(commit.busy, mean));
      }
    }
    // It says that it is done; what it did not commit is to be done still.
    if (commit.task_done && !run.Contains(task->run)) {
      live->core.GiveBack(task->kind, task->round, task->run, task->care);
      scheduler_.NoteWork(commit.job);
    }
  }
  if (verdict != JobCore::Verdict::kAccepted) return;
  if (commit.is_kept) NoteFragments(sender, commit, live->core.record());
  NoteProgress(commit.job, *live);
  Settle(commit.job, *live);
}

bool CoordinatorCore::Impl::IsHomeOf(const std::string& host,
                                     const SegmentPart& part) const {
  return std::any_of(
      part.segment->replicas.begin(), part.segment->replicas.end(),
      [&](const Replica& one) { return members_.AreNear(one.host, host); });
}

bool CoordinatorCore::Impl::IsHomeOfAll(const std::string& host,
                                        const MatrixRecord& matrix) const {
  const std::vector<SegmentPart> parts = SegmentsOf(matrix);
  return std::all_of(parts.begin(), parts.end(), [&](const SegmentPart& part) {
    return IsHomeOf(host, part);
  });
}

void CoordinatorCore::Impl::NoteFragments(const Sender& sender,
                                          const Commit& commit,
                                          const JobRecord& job) {
  const MatrixRecord& matrix = *job.order->matrix;
  if (job.plan == nullptr || IsHomeOfAll(sender.host, matrix)) return;
  const std::vector<SegmentPart> parts = SegmentsOf(matrix);
  const std::int64_t blocks = parts.back().block_end;
  const BlockRun came = job.plan->needs_whole_matrix
                            ? BlockRun{0, blocks}
                            : BlocksOf(commit.run, blocks, job.leaves_total);
  for (const SegmentPart& part : parts) {
    if (IsHomeOf(sender.host, part)) continue;
    fragments_.Note(part.segment->token, sender.host,
                    {std::max(came.begin, part.block_begin),
                     std::min(came.end, part.block_end)});
  }
}

std::map<std::string, std::int64_t> CoordinatorCore::Impl::LandedBytes(
    absl::string_view name) const {
  std::map<std::string, std::int64_t> bytes;
  const auto matrix = catalog_.Get(name);
  if (!matrix.ok()) return bytes;
  const Partition partition((*matrix)->layout);
  for (const SegmentPart& part : SegmentsOf(**matrix)) {
    const FragmentBook::ByHost* hosts = fragments_.Find(part.segment->token);
    if (hosts == nullptr) continue;
    for (const auto& [host, runs] : *hosts) {
      for (const BlockRun& run : runs) {
        bytes[host] += partition.Joined(run.begin, run.end).element_count *
                       BytesOf((*matrix)->layout.type);
      }
    }
  }
  return bytes;
}

void CoordinatorCore::Impl::Settle(JobId job, Live& live) {
  if (live.core.FinishWhenComplete()) {
    // Second copies of what is committed by now.
    scheduler_.RevokeAll(job);
    updated_.insert(job);
  }
  if (live.core.HasWork()) scheduler_.NoteWork(job);
}

void CoordinatorCore::Impl::NoteProgress(JobId job, Live& live) {
  if (now_ - live.last_update < options_.progress_interval) return;
  live.last_update = now_;
  updated_.insert(job);
}

void CoordinatorCore::Impl::On(const Sender& sender, PlanReady& ready) {
  ready.plan.result.host = sender.host;
  const auto task = scheduler_.TakeAnswered(sender.worker, ready.task);
  Live* live = Running(ready.job);
  if (live == nullptr) return tokens_.DropUnlessLive(ready.plan.result);
  const std::int64_t leaf_count = ready.plan.leaf_count;
  const JobCore::Verdict verdict = live->core.OnPlanReady(ready);
  if (verdict == JobCore::Verdict::kBad && task.has_value()) {
    return CountFailure(
        ready.job, *live, *task,
        {.kind = task->kind,
         .run = task->run,
         .worker = sender.worker,
         .what = absl::StrCat("it planned ", leaf_count, " leaves"),
         .at = now_});
  }
  if (verdict != JobCore::Verdict::kAccepted) return;
  NoteChange(ready.job);
  Settle(ready.job, *live);
}

void CoordinatorCore::Impl::On(const Sender& sender, FinishDone& done) {
  if (done.next_state.has_value()) done.next_state->host = sender.host;
  for (BytesRef& result : done.results) result.host = sender.host;
  scheduler_.TakeAnswered(sender.worker, done.task);
  Live* live = Running(done.job);
  if (live == nullptr) {
    if (done.next_state.has_value()) tokens_.DropUnlessLive(*done.next_state);
    for (const BytesRef& result : done.results) {
      tokens_.DropUnlessLive(result);
    }
    return;
  }
  const bool goes_on = done.next_state.has_value();
  if (live->core.OnFinishDone(done) != JobCore::Verdict::kAccepted) return;
  if (!goes_on) return End(done.job, JobState::kDone, absl::OkStatus());
  scheduler_.RevokeAll(done.job);
  NoteChange(done.job);
  Settle(done.job, *live);
}

void CoordinatorCore::Impl::On(const Sender& sender, InputMissing& missing) {
  const auto task = scheduler_.TakeAnswered(sender.worker, missing.task);
  Live* live = Running(missing.job);
  if (!task.has_value() || live == nullptr) return;
  const int brief_version = live->core.brief_version();
  const JobCore::Verdict verdict =
      live->core.OnInputMissing(missing, task->kind, task->run);
  if (verdict == JobCore::Verdict::kBad) {
    return End(missing.job, JobState::kFailed,
               Error(Reason::kSegmentGone,
                     absl::StrCat(Describe(live->core.record()),
                                  ": partials went missing again and again; "
                                  "see that no worker's host is short of "
                                  "memory")));
  }
  if (verdict != JobCore::Verdict::kAccepted) return;
  // It began anew: whatever is under way is of no use.
  if (live->core.brief_version() != brief_version) {
    scheduler_.RevokeAll(missing.job);
    NoteChange(missing.job);
  }
  live->core.CountRetry();
  Settle(missing.job, *live);
}

void CoordinatorCore::Impl::On(const Sender& sender, TaskFailed& failed) {
  const auto task = scheduler_.TakeAnswered(sender.worker, failed.task);
  Live* live = Running(failed.job);
  if (!task.has_value() || live == nullptr) return;
  if (task->round != live->core.record().round) return;
  const Reason reason = ReasonOf(failed.status);
  const bool sees_no_file =
      reason == Reason::kFileMissing || reason == Reason::kFileChanged;
  // Its home goes on without that host. Of a matrix in pieces nobody would.
  const bool has_no_room =
      reason == Reason::kOutOfMemory &&
      std::holds_alternative<SegmentSource>(
          live->core.record().order->matrix->source) &&
      !IsHomeOfAll(sender.host, *live->core.record().order->matrix);
  if (has_no_room) {
    for (const SegmentPart& part :
         SegmentsOf(*live->core.record().order->matrix)) {
      fragments_.ForgetAt(part.segment->token, sender.host);
    }
  }
  // What lies there is combined and gathered there, or nowhere.
  const JobPlan* plan = live->core.record().plan.get();
  const bool has_result =
      plan != nullptr && plan->concatenates && plan->result.host == sender.host;
  if ((sees_no_file || has_no_room) && !has_result &&
      scheduler_.Exclude(failed.job, sender.host)) {
    // Others may see its file, or have its bytes: not an attempt.
    live->core.GiveBack(task->kind, task->round, task->run, task->care);
    live->core.CountRetry();
    scheduler_.NoteWork(failed.job);
    look_at_everyone_ = true;
    return;
  }
  const bool is_cut_off =
      reason == Reason::kSegmentGone || reason == Reason::kClusterUnreachable;
  if (is_cut_off && WaitsForAHost(*live)) {
    // It comes back, or is lost and the job with it: not an attempt.
    live->core.GiveBack(task->kind, task->round, task->run, task->care);
    live->core.CountRetry();
    scheduler_.NoteWork(failed.job);
    return;
  }
  if (!is_cut_off && IsRefusal(failed.status)) {
    return End(failed.job, JobState::kFailed, std::move(failed.status));
  }
  CountFailure(failed.job, *live, *task,
               {.kind = task->kind,
                .round = task->round,
                .run = task->run,
                .worker = sender.worker,
                .what = std::string(failed.status.message()),
                .at = now_});
}

// --- failures ----------------------------------------------------------------

void CoordinatorCore::Impl::CountFailure(JobId job, Live& live,
                                         const InFlight& task,
                                         Attempts::Failure failure) {
  // A late second copy: what failed here was done elsewhere.
  if (task.round != live.core.record().round ||
      (task.kind == TaskKind::kCompute && live.core.IsCommitted(task.run))) {
    return;
  }
  if (live.core.RecordFailure(std::move(failure))) {
    return BeginFailing(job, live, task.kind, task.round, task.run);
  }
  live.core.GiveBack(task.kind, task.round, task.run,
                     live.core.CareOf(task.kind, task.round, task.run));
  live.core.CountRetry();
  scheduler_.NoteWork(job);
}

void CoordinatorCore::Impl::BeginFailing(JobId job, Live& live, TaskKind kind,
                                         int round, LeafRun run) {
  Failing failing{kind, run, live.core.attempts().Of(kind, round, run), {}};
  for (const Attempts::Failure& attempt : failing.attempts) {
    if (!attempt.worker_lost) continue;
    failing.deadline =
        std::max(failing.deadline, attempt.at + options_.story_wait);
  }
  live.failing = std::move(failing);
  scheduler_.RemoveJob(job);  // all stop now, whatever is still to be told
  FailThoseWhoseStoryIsTold();
}

void CoordinatorCore::Impl::FailThoseWhoseStoryIsTold() {
  std::vector<JobId> told;
  for (const auto& [job, live] : live_) {
    if (!live->failing.has_value()) continue;
    const bool waits = std::any_of(
        live->failing->attempts.begin(), live->failing->attempts.end(),
        [this](const Attempts::Failure& attempt) {
          if (!attempt.worker_lost) return false;
          const WorkerRecord* worker = members_.Find(attempt.worker);
          return worker != nullptr && worker->state == WorkerState::kLost &&
                 !worker->story.has_value();
        });
    if (!waits || now_ >= live->failing->deadline) told.push_back(job);
  }
  for (const JobId job : told) {
    const Live& live = *live_.at(job);
    absl::Status status =
        AttemptsStory(live.core.record(), live.failing->kind, live.failing->run,
                      live.failing->attempts, members_);
    End(job, JobState::kFailed, std::move(status));
  }
}

void CoordinatorCore::Impl::FailThoseThatNobodyWorksOn() {
  if (members_.ready_count() > 0 || live_.empty()) {
    workerless_since_.reset();
    return;
  }
  if (!workerless_since_.has_value()) workerless_since_ = now_;
  std::vector<JobId> abandoned;
  for (const auto& [job, live] : live_) {
    const absl::Time since = std::max(
        {*workerless_since_, live->core.record().submitted_at, rejoined_by_});
    if (now_ - since >= options_.workerless_wait) abandoned.push_back(job);
  }
  for (const JobId job : abandoned) {
    absl::Status status = NobodyLeftStory(live_.at(job)->core.record(),
                                          options_.workerless_wait, members_);
    End(job, JobState::kFailed, std::move(status));
  }
}

void CoordinatorCore::Impl::End(JobId job, JobState state,
                                absl::Status status) {
  const auto found = live_.find(job);
  Live& live = *found->second;
  scheduler_.RemoveJob(job);
  live.core.End(state, std::move(status), now_);
  const bool forget = live.forget;
  JobRecord record = live.core.record();
  rates_.Note(record);
  live_.erase(found);
  catalog_.Unuse(record.order->matrix);
  for (const auto& [name, parameter] : record.order->parameters) {
    catalog_.Unuse(parameter);
  }
  NoteChange(job);
  Shelve(std::move(record));
  if (!forget) return;
  if (const auto forgotten = ended_.Remove(job)) Evict(*forgotten);
}

void CoordinatorCore::Impl::Shelve(JobRecord record) {
  std::int64_t room_bytes = std::numeric_limits<std::int64_t>::max();
  for (const BytesRef& result : record.results) {
    if (!result.has_token()) continue;
    room_bytes = std::min(room_bytes, hosts_.FreeAt(result.host) / 2);
  }
  for (const JobRecord& evicted :
       ended_.Add(std::move(record), room_bytes, now_)) {
    Evict(evicted);
  }
}

void CoordinatorCore::Impl::Evict(const JobRecord& record) {
  for (const BytesRef& result : record.results) tokens_.Drop(result);
  if (!record.client_key.empty()) by_client_key_.erase(record.client_key);
  evicted_.push_back(record.id);
}

}  // namespace hearth::server
