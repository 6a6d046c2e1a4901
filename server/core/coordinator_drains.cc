// Workers that are let go: what they run they finish, what waits goes to
// others, and what only their host holds moves to another host first.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hearth/base/error.h"
#include "server/core/coordinator_impl.h"
#include "server/core/job_story.h"

namespace hearth::server {

void CoordinatorCore::Impl::On(DrainWorker& drain) {
  const WorkerRecord* worker = members_.Find(drain.worker);
  const std::string attempt = absl::StrCat("drain ", ToString(drain.worker));
  if (worker != nullptr && worker->state == WorkerState::kLost) {
    Say(Answer{drain.call,
               Error(Reason::kNameUnknown,
                     absl::StrCat(attempt, ": it is lost (",
                                  worker->story.value_or(worker->lost_why),
                                  "), so nothing of it is left to drain; see "
                                  "\"hearth workers\"")),
               {}});
    return;
  }
  if (worker == nullptr) {
    Say(Answer{drain.call,
               Error(Reason::kNameUnknown,
                     absl::StrCat(attempt,
                                  ": no such worker; \"hearth workers\" "
                                  "lists those there are")),
               {}});
    return;
  }
  const bool is_last =
      worker->state == WorkerState::kReady && members_.ready_count() == 1;
  if (is_last && !live_.empty()) {
    Say(Answer{drain.call,
               Error(Reason::kWorkerLost,
                     absl::StrCat(attempt,
                                  ": no other worker is ready and jobs run; "
                                  "start another, or cancel them")),
               {}});
    return;
  }
  BeginDrain(drain.worker, /*leaves_anyway=*/false, drain.call);
}

void CoordinatorCore::Impl::On(HostLeaves& leaves) {
  if (!members_.IsCurrent(leaves.worker, leaves.epoch)) return;
  const std::string host = members_.Find(leaves.worker)->identity.host;
  for (const WorkerRecord& worker : members_.List()) {
    if (worker.state == WorkerState::kLost || worker.identity.host != host) {
      continue;
    }
    BeginDrain(worker.id, /*leaves_anyway=*/true, 0);
  }
}

void CoordinatorCore::Impl::BeginDrain(WorkerId worker, bool leaves_anyway,
                                       CallId call) {
  const auto [found, is_new] = drains_.try_emplace(worker);
  Drain& drain = found->second;
  drain.leaves_anyway = drain.leaves_anyway || leaves_anyway;
  if (call != 0) drain.calls.push_back(call);
  look_at_drains_ = true;
  if (!is_new) return;
  drain.since = now_;
  members_.Drain(worker);
  scheduler_.Drain(worker);
  for (const InFlight& task : scheduler_.TakeBack(worker, false)) {
    Live* live = Running(task.job);
    if (live == nullptr) continue;
    live->core.GiveBack(task.kind, task.round, task.run, task.care);
    scheduler_.NoteWork(task.job);
  }
  look_at_everyone_ = true;
}

void CoordinatorCore::Impl::StepDrains() {
  if (!std::exchange(look_at_drains_, false) || drains_.empty()) return;
  std::vector<WorkerId> workers;
  for (const auto& [worker, drain] : drains_) workers.push_back(worker);
  for (const WorkerId worker : workers) StepDrain(worker);
}

void CoordinatorCore::Impl::StepDrain(WorkerId worker) {
  const auto found = drains_.find(worker);
  if (found == drains_.end()) return;  // given up with a neighbour's
  const Drain& drain = found->second;
  if (scheduler_.task_count(worker) > 0) {
    if (now_ - drain.since < options_.drain_wait) return;
    for (const InFlight& task : scheduler_.TakeBack(worker, true)) {
      Live* live = Running(task.job);
      if (live == nullptr) continue;
      live->core.GiveBack(task.kind, task.round, task.run, task.care);
      live->core.CountRetry();
      scheduler_.NoteWork(task.job);
    }
    look_at_everyone_ = true;
  }
  const std::string host = members_.Find(worker)->identity.host;
  const bool others_stay =
      !drain.leaves_anyway && members_.live_count_at(host) > 1;
  if (others_stay || HandOver(host, worker)) LetGo(worker);
}

std::vector<CoordinatorCore::Impl::Moving> CoordinatorCore::Impl::OnlyAt(
    const std::string& host) const {
  std::vector<Moving> only;
  for (const Id& segment : catalog_.SegmentsAt(host)) {
    const CatalogCore::Held& held = *catalog_.Find(segment);
    Moving moving{
        .segment = segment,
        .what = {},
        .from = held.source.replicas,
        .bytes = held.bytes,
        .name = held.names.empty() ? "a job's matrix" : *held.names.begin()};
    bool is_elsewhere = false;
    for (const Replica& one : held.source.replicas) {
      if (one.host == host) {
        moving.what = one;
      } else if (members_.ready_count_at(one.host) > 0) {
        is_elsewhere = true;
      }
    }
    if (!is_elsewhere) only.push_back(std::move(moving));
  }
  for (const auto& [job, record] : ended_.all()) {
    for (const BytesRef& result : record.results) {
      if (!result.has_token() || result.host != host ||
          catalog_.Holds(result.token)) {
        continue;
      }
      only.push_back({.segment = result.token,
                      .what = {result.token, host},
                      .from = {{result.token, host}},
                      .bytes = result.bytes,
                      .name = absl::StrCat("the result of ", ToString(job))});
    }
  }
  return only;
}

bool CoordinatorCore::Impl::HandOver(const std::string& host, WorkerId worker) {
  Handover& handover = handovers_[host];
  const bool leaves_anyway = drains_.at(worker).leaves_anyway;
  if (!handover.failed.ok() && !leaves_anyway) {
    AbandonHandover(host);
    return false;
  }
  for (Moving& moving : OnlyAt(host)) {
    const Id token = moving.what.token;
    if (handover.under_way.contains(token) ||
        handover.given_up.contains(token)) {
      continue;
    }
    const CopyId copy =
        copies_.Begin({.segment = moving.segment,
                       .from = moving.from,
                       .bytes = moving.bytes,
                       .count = 1,
                       .attempt = absl::StrCat("drain ", ToString(worker),
                                               ": move \"", moving.name, "\""),
                       .is_move = true},
                      now_);
    handover.under_way[token] = copy;
    purposes_.emplace(copy, std::move(moving));
  }
  return handover.under_way.empty();
}

void CoordinatorCore::Impl::Ended(const Moving& moving,
                                  const CopyCore::Ended& ended) {
  const auto found = handovers_.find(moving.what.host);
  for (const Replica& one : ended.made) {
    bool is_wanted = false;
    const Id& from = moving.what.token;
    const CatalogCore::Held* held = catalog_.FindByReplica(from);
    if (held != nullptr && !held->source.IsAt(one.host)) {
      std::vector<Replica> replicas = held->source.replicas;
      std::replace(replicas.begin(), replicas.end(), moving.what, one);
      catalog_.SetReplicas(held->source.token, std::move(replicas));
      is_wanted = true;
    }
    const std::vector<JobId> owners =
        ended_.MoveResult(from, one.token, one.host);
    kept_.insert(owners.begin(), owners.end());
    if (!owners.empty()) {
      is_wanted = true;  // and stays held as the job's
    } else if (is_wanted) {
      tokens_.Release(one.token);
    }
    if (!is_wanted) tokens_.Drop(one.host, one.token);
    if (is_wanted && found != handovers_.end()) {
      found->second.moved.push_back(moving.what);
      found->second.bytes_moved += moving.bytes;
    }
  }
  look_at_drains_ = true;
  if (found == handovers_.end()) return;
  found->second.under_way.erase(moving.what.token);
  if (ended.status.ok()) return;
  found->second.failed = ended.status;
  found->second.given_up.insert(moving.what.token);
  std::vector<std::string>& lost = found->second.lost;
  if (std::find(lost.begin(), lost.end(), moving.name) == lost.end()) {
    lost.push_back(moving.name);  // once, however many pieces of it
  }
}

void CoordinatorCore::Impl::ForgetHandover(const std::string& host) {
  const auto node = handovers_.extract(host);
  if (node.empty()) return;
  for (const auto& [token, copy] : node.mapped().under_way) {
    purposes_.erase(copy);
    for (const Replica& made : copies_.Cancel(copy)) {
      tokens_.Drop(made.host, made.token);
    }
  }
  // It may come back, or stay: what lies elsewhere now needs no second place.
  for (const Replica& moved : node.mapped().moved) {
    tokens_.Drop(moved.host, moved.token);
  }
}

// It can't be: the workers of the host stay.
void CoordinatorCore::Impl::AbandonHandover(const std::string& host) {
  const absl::Status why = handovers_.at(host).failed;
  ForgetHandover(host);
  std::vector<WorkerId> stay;
  for (const auto& [worker, drain] : drains_) {
    if (members_.Find(worker)->identity.host == host) stay.push_back(worker);
  }
  for (const WorkerId worker : stay) {
    members_.Undrain(worker);
    scheduler_.Undrain(worker);
    ForgetDrain(worker, why);
  }
}

void CoordinatorCore::Impl::ForgetDrain(WorkerId worker,
                                        const absl::Status& status) {
  const auto found = drains_.find(worker);
  if (found == drains_.end()) return;
  for (const CallId call : found->second.calls) Say(Answer{call, status, {}});
  drains_.erase(found);
  ForgetHandoverUnlessDraining(members_.Find(worker)->identity.host);
}

// A worker that was to go did not, or is gone and others have come meanwhile:
// the host keeps what it has.
void CoordinatorCore::Impl::ForgetHandoverUnlessDraining(
    const std::string& host) {
  const bool is_draining =
      std::any_of(drains_.begin(), drains_.end(), [&](const auto& other) {
        return members_.Find(other.first)->identity.host == host;
      });
  if (!is_draining) ForgetHandover(host);
}

void CoordinatorCore::Impl::LetGo(WorkerId worker) {
  const WorkerRecord record = *members_.Find(worker);
  const std::string& host = record.identity.host;
  Drain drain = std::move(drains_.at(worker));
  drains_.erase(worker);
  std::int64_t bytes_moved = 0;
  std::string lost;
  if (const auto handover = handovers_.find(host);
      handover != handovers_.end()) {
    bytes_moved = handover->second.bytes_moved;
    if (!handover->second.lost.empty()) {
      lost = absl::StrCat("no other host took over ",
                          absl::StrJoin(handover->second.lost, ", "), " (",
                          handover->second.failed.message(), ")");
    }
  }
  TellJobsOfMoves();
  Say(Dismiss{worker, record.epoch, lost});
  std::string why = "drained";
  if (bytes_moved > 0) {
    absl::StrAppend(&why, "; ", bytes_moved, " bytes moved to other hosts");
  }
  if (!lost.empty()) absl::StrAppend(&why, "; ", lost);
  members_.Lose(worker, record.epoch, why, now_);
  LoseWorker(worker);
  for (const CallId call : drain.calls) {
    Say(Answer{call, absl::OkStatus(), {}, bytes_moved});
  }
  ForgetHandoverUnlessDraining(host);
  if (members_.live_count_at(host) > 0) return;
  // Its keeper ends with its last worker, if that has heard it: where it comes
  // back after all, it is known what it holds.
  hosts_.Left(host);
  LoseHost(host);
}

}  // namespace hearth::server
