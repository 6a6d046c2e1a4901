#include "server/core/scheduler.h"

#include <algorithm>
#include <utility>

namespace hearth::server {
namespace {

// Idle workers that got nothing before the next event is waited for: what the
// first ones may not have, the rest seldom may.
constexpr int kIdleFailuresMax = 32;

// Each Assign fits limits::kMessageBytesMax several times over.
constexpr std::size_t kAssignBytesMax = 512 * 1024;
constexpr std::size_t kInputOverheadBytes = 64;

}  // namespace

// --- who there is ------------------------------------------------------------

void Scheduler::AddWorker(WorkerId worker, const std::string& host,
                          int thread_count) {
  const auto [entry, added] = loads_.try_emplace(worker, host, thread_count);
  if (!added) return;
  thread_count_ += entry->second.thread_count();
  hungry_.insert(worker);
  Touch(worker);
}

Scheduler::Left Scheduler::RemoveWorker(WorkerId worker) {
  const auto found = loads_.find(worker);
  if (found == loads_.end()) return {};
  WorkerLoad& load = found->second;
  Left left{load.List(), std::min(load.count(), load.thread_count())};
  for (const InFlight& task : left.tasks) Erase(worker, load, task.id);
  StopEmptying(load);
  if (!load.draining) thread_count_ -= load.thread_count();
  for (auto& [job, seat] : seats_) {
    // One less of at most max_workers: the others may come in.
    if (seat.briefed.erase(worker) > 0) NoteWork(job);
    seat.places.erase(worker);
    // Nobody is left but those that saw no file: they shall say so again.
    if (!seat.excluded.empty() && !HasHostFor(seat)) {
      seat.excluded.clear();
      NoteWork(job);
    }
  }
  hungry_.erase(worker);
  touched_.erase(worker);
  const auto filed = waiting_by_worker_.find(worker);
  if (filed != waiting_by_worker_.end()) {
    loaded_.erase({filed->second, worker});
    waiting_by_worker_.erase(filed);
  }
  assigns_.erase(worker);
  revokes_.erase(worker);
  loads_.erase(found);
  return left;
}

void Scheduler::Drain(WorkerId worker) {
  const auto found = loads_.find(worker);
  if (found == loads_.end() || found->second.draining) return;
  found->second.draining = true;
  thread_count_ -= found->second.thread_count();
  StopEmptying(found->second);
  hungry_.erase(worker);
}

void Scheduler::Undrain(WorkerId worker) {
  const auto found = loads_.find(worker);
  if (found == loads_.end() || !found->second.draining) return;
  found->second.draining = false;
  thread_count_ += found->second.thread_count();
  if (found->second.hungry()) hungry_.insert(worker);
  Touch(worker);
}

int Scheduler::task_count(WorkerId worker) const {
  const auto found = loads_.find(worker);
  return found == loads_.end() ? 0 : found->second.count();
}

std::vector<InFlight> Scheduler::TakeBack(WorkerId worker, bool running_too) {
  const auto found = loads_.find(worker);
  if (found == loads_.end()) return {};
  WorkerLoad& load = found->second;
  const std::vector<InFlight> taken =
      running_too ? load.List() : load.NewestWaiting(load.waiting());
  for (const InFlight& task : taken) {
    Erase(worker, load, task.id);
    revokes_[worker].push_back(task.id);
  }
  Touch(worker);
  return taken;
}

void Scheduler::StopEmptying(WorkerLoad& load) {
  if (!load.empties_for.has_value()) return;
  const auto seat = seats_.find(*load.empties_for);
  if (seat != seats_.end()) seat->second.emptying.reset();
  load.empties_for.reset();
}

void Scheduler::AddJob(JobId job, JobCore* core) {
  Seat& seat = seats_[job];
  seat.core = core;
  seat.matrix = core->record().order->matrix;
  seat.max_workers = core->record().order->max_workers;
  NoteWork(job);
}

void Scheduler::RemoveJob(JobId job) {
  const auto found = seats_.find(job);
  if (found == seats_.end()) return;
  for (const auto& [worker, version] : found->second.briefed) {
    WorkerLoad& load = loads_.at(worker);
    for (const InFlight& task : load.List()) {
      if (task.job == job) Erase(worker, load, task.id);
    }
    if (load.empties_for == job) load.empties_for.reset();
    releases_.push_back(ReleaseJob{worker, job});
    Touch(worker);
  }
  with_work_.erase(job);
  seats_.erase(found);
}

void Scheduler::BriefAgain(JobId job) {
  const auto found = seats_.find(job);
  if (found == seats_.end()) return;
  Seat& seat = found->second;
  seat.matrix = seat.core->record().order->matrix;
  for (auto& [worker, version] : seat.briefed) {
    BriefOne(worker, job, seat, version);
  }
  NoteWork(job);
}

void Scheduler::BriefOne(WorkerId worker, JobId job, Seat& seat, int& version) {
  const JobRecord& record = seat.core->record();
  version = seat.core->brief_version();
  briefs_.push_back(Brief{worker, job, record.round, record.order, record.plan,
                          seat.core->round_state()});
}

void Scheduler::RevokeAll(JobId job) {
  TakeBackIf(job, [](const InFlight&) { return true; });
}

std::vector<InFlight> Scheduler::TakeBackOnPartials(JobId job) {
  return TakeBackIf(job, [](const InFlight& task) {
    return task.kind == TaskKind::kCombine || task.kind == TaskKind::kFinish;
  });
}

std::vector<InFlight> Scheduler::TakeBackIf(
    JobId job, absl::FunctionRef<bool(const InFlight&)> wanted) {
  std::vector<InFlight> taken;
  const auto found = seats_.find(job);
  if (found == seats_.end()) return taken;
  for (const auto& [worker, version] : found->second.briefed) {
    WorkerLoad& load = loads_.at(worker);
    if (load.count() == 0) continue;
    for (const InFlight& task : load.List()) {
      if (task.job != job || !wanted(task)) continue;
      taken.push_back(task);
      Erase(worker, load, task.id);
      revokes_[worker].push_back(task.id);
    }
    Touch(worker);
  }
  return taken;
}

void Scheduler::NoteWork(JobId job) {
  const auto found = seats_.find(job);
  if (found == seats_.end()) return;
  with_work_.insert(job);
  if (found->second.core->HasWorkAtResult()) {
    const std::string& host = found->second.core->record().plan->result.host;
    for (const WorkerId worker : members_.ReadyAt(host)) {
      if (loads_.contains(worker)) Touch(worker);
    }
  }
  // Where no other worker may help, those that may are looked at for sure.
  if (found->second.max_workers == 0) return;
  for (const auto& [worker, version] : found->second.briefed) Touch(worker);
}

// --- what was answered -------------------------------------------------------

std::optional<InFlight> Scheduler::TakeAnswered(WorkerId worker, TaskId task) {
  const auto found = loads_.find(worker);
  if (found == loads_.end()) return std::nullopt;
  Touch(worker);
  return Erase(worker, found->second, task);
}

void Scheduler::NoteSlowness(WorkerId worker, double ratio) {
  const auto found = loads_.find(worker);
  if (found != loads_.end()) found->second.NoteSlowness(ratio);
}

std::optional<InFlight> Scheduler::FindTask(WorkerId worker, TaskId task) {
  const auto found = loads_.find(worker);
  if (found == loads_.end()) return std::nullopt;
  const InFlight* in_flight = found->second.Find(task);
  if (in_flight == nullptr) return std::nullopt;
  return *in_flight;
}

std::optional<InFlight> Scheduler::Erase(WorkerId worker, WorkerLoad& load,
                                         TaskId task) {
  auto erased = load.Erase(task);
  if (!erased.has_value()) return erased;
  locality_.NoteEnded(task);
  if (erased->kind == TaskKind::kCompute && erased->run.leaf_count() > 1) {
    splittable_.erase({erased->run.leaf_count(), worker, task});
  }
  if (load.hungry() && !load.draining) hungry_.insert(worker);
  return erased;
}

void Scheduler::Index(WorkerId worker, const WorkerLoad& load) {
  int& filed = waiting_by_worker_[worker];
  if (filed == load.waiting()) return;
  if (filed > 0) loaded_.erase({filed, worker});
  filed = load.waiting();
  if (filed > 0) loaded_.insert({filed, worker});
}

// --- giving ------------------------------------------------------------------

void Scheduler::Fill(absl::Time now, bool look_at_everyone,
                     std::vector<Action>& actions) {
  if (look_at_everyone) touched_.insert(hungry_.begin(), hungry_.end());
  // Threads of all workers before anybody's queue, so that the first one does
  // not get what the last one needs.
  const std::set<WorkerId> touched = touched_;
  for (const WorkerId worker : touched) FillThreads(worker, now);
  const auto feed_the_hungry = [&] {
    int failures = 0;
    for (auto at = hungry_.begin(); at != hungry_.end() &&
                                    !with_work_.empty() &&
                                    failures < kIdleFailuresMax;) {
      const WorkerId worker = *at++;  // filling may take it out
      const int before = loads_.at(worker).count();
      FillThreads(worker, now);
      if (loads_.at(worker).count() > before) {
        touched_.insert(worker);
        failures = 0;
      } else {
        ++failures;
      }
    }
  };
  feed_the_hungry();
  for (const WorkerId worker : touched_) FillQueue(worker, now);

  int failures = 0;
  const std::set<WorkerId> idle = touched_;
  for (const WorkerId worker : idle) {
    if (!hungry_.contains(worker)) continue;
    if (failures >= kIdleFailuresMax) break;
    if (!TakeOver(worker, loads_.at(worker), now)) {
      ++failures;
      continue;
    }
    failures = 0;
    FillThreads(worker, now);
    feed_the_hungry();
    FillQueue(worker, now);
  }
  for (const WorkerId worker : touched_) Index(worker, loads_.at(worker));
  touched_.clear();
  Speak(actions);
}

void Scheduler::FillThreads(WorkerId worker, absl::Time now) {
  WorkerLoad& load = loads_.at(worker);
  while (load.hungry() && GiveOne(worker, load, /*to_wait=*/false, now)) {
  }
}

void Scheduler::FillQueue(WorkerId worker, absl::Time now) {
  WorkerLoad& load = loads_.at(worker);
  while (GiveOne(worker, load, /*to_wait=*/true, now)) {
  }
}

bool Scheduler::GiveOne(WorkerId worker, WorkerLoad& load, bool to_wait,
                        absl::Time now) {
  if (load.draining || load.count(Care::kAlone) > 0) return false;
  if (load.empties_for.has_value()) return GiveAlone(worker, load, now);
  if (to_wait && load.count(Care::kUnbatched) > 0) return false;

  // Jobs take turns, from the one after the last served.
  std::size_t looks = with_work_.size();
  auto at = with_work_.upper_bound(last_served_);
  while (looks-- > 0) {
    if (at == with_work_.end()) at = with_work_.begin();
    const JobId job = *at;
    Seat& seat = seats_.at(job);
    if (!seat.core->HasWork()) {
      at = with_work_.erase(at);
      continue;
    }
    ++at;
    if (!IsAllowed(seat, worker, load)) continue;
    if (seat.core->HasWork(Care::kAlone) &&
        (!seat.emptying.has_value() || load.count() == 0)) {
      if (load.count() > 0) {
        seat.emptying = worker;
        load.empties_for = job;
        return false;
      }
      if (auto work = TakeFor(seat, load, Care::kAlone, 1, std::nullopt)) {
        Give(worker, load, job, seat, *std::move(work), now);
        return true;
      }
    }
    if (to_wait &&
        load.count() >= load.thread_count() + QueueDepth(seat, load)) {
      continue;
    }
    std::optional<Work> work;
    const int threads = ThreadsFor(seat, load);
    if (!to_wait) {
      work = TakeFor(seat, load, Care::kUnbatched, threads, std::nullopt);
    }
    if (!work.has_value()) {
      work = TakeFor(seat, load, Care::kNone, threads,
                     PlaceOf(seat, worker, load));
    }
    if (!work.has_value()) continue;
    Give(worker, load, job, seat, *std::move(work), now);
    return true;
  }
  return false;
}

std::optional<std::int64_t> Scheduler::PlaceOf(const Seat& seat,
                                               WorkerId worker,
                                               const WorkerLoad& load) const {
  if (!std::holds_alternative<FileSource>(seat.matrix->source)) {
    return std::nullopt;
  }
  const auto places = seat.places.find(worker);
  // Tasks are begun in the order in which they are given: the thread with the
  // oldest is the next to be free.
  const bool each_thread_has_one =
      places != seat.places.end() &&
      std::ssize(places->second) >= load.thread_count();
  return each_thread_has_one ? places->second.front() : -1;
}

bool Scheduler::GiveAlone(WorkerId worker, WorkerLoad& load, absl::Time now) {
  const JobId job = *load.empties_for;
  const auto found = seats_.find(job);
  if (found == seats_.end() || !found->second.core->HasWork(Care::kAlone)) {
    StopEmptying(load);
    return GiveOne(worker, load, /*to_wait=*/!load.hungry(), now);
  }
  if (load.count() > 0) return false;
  StopEmptying(load);
  auto work = TakeFor(found->second, load, Care::kAlone, 1, std::nullopt);
  if (!work.has_value()) return false;
  Give(worker, load, job, found->second, *std::move(work), now);
  return true;
}

void Scheduler::Give(WorkerId worker, WorkerLoad& load, JobId job, Seat& seat,
                     Work work, absl::Time now) {
  last_served_ = job;
  const JobRecord& record = seat.core->record();
  const auto [briefed, is_first] = seat.briefed.try_emplace(worker, -1);
  if (is_first && seat.ever.insert(worker).second) {
    seat.core->NoteWorker(load.host(), static_cast<int>(seat.ever.size()));
  }
  if (briefed->second != seat.core->brief_version()) {
    BriefOne(worker, job, seat, briefed->second);
  }
  const TaskId id{next_task_++};
  load.Add({.id = id,
            .kind = work.kind,
            .care = work.care,
            .job = job,
            .round = record.round,
            .run = work.run,
            .given_at = now});
  if (work.kind == TaskKind::kCompute) {
    if (!IsAtHome(seat, load.host(), work.run)) {
      locality_.NoteCrossing(load.host(), id);
      seat.crossed_leaves += work.run.leaf_count();
    }
    if (work.run.leaf_count() > 1) {
      splittable_.insert({work.run.leaf_count(), worker, id});
    }
  }
  if (work.kind == TaskKind::kCompute &&
      std::holds_alternative<FileSource>(record.order->matrix->source)) {
    std::deque<std::int64_t>& places = seat.places[worker];
    places.push_back(work.run.end);
    if (std::ssize(places) > load.thread_count()) places.pop_front();
  }
  if (!load.hungry()) hungry_.erase(worker);
  assigns_[worker].push_back(
      {id, work.kind, job, record.round, work.run, std::move(work.inputs)});
}

// --- speaking ----------------------------------------------------------------

void Scheduler::Speak(std::vector<Action>& actions) {
  const auto append = [&](std::vector<Action>& some) {
    for (Action& action : some) actions.emplace_back(std::move(action));
    some.clear();
  };
  append(releases_);
  append(briefs_);
  for (auto& [worker, tasks] : assigns_) {
    Assign assign{worker, {}};
    std::size_t bytes = 0;
    for (Task& task : tasks) {
      for (const RunInput& input : task.inputs) {
        bytes += input.partial.inline_bytes.size() + kInputOverheadBytes;
      }
      assign.tasks.push_back(std::move(task));
      // One task's inputs are within combine_bytes, twice at most.
      if (bytes < kAssignBytesMax) continue;
      actions.emplace_back(std::exchange(assign, Assign{worker, {}}));
      bytes = 0;
    }
    if (!assign.tasks.empty()) actions.emplace_back(std::move(assign));
  }
  assigns_.clear();
  for (auto& [worker, tasks] : revokes_) {
    actions.emplace_back(Revoke{worker, std::move(tasks)});
  }
  revokes_.clear();
  append(shrinks_);
}

}  // namespace hearth::server
