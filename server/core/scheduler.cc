#include "server/core/scheduler.h"

#include <algorithm>

namespace hearth::server {
namespace {

// How many victims, running tasks or idle workers are looked at before the
// next event is waited for: what the first few don't offer, the rest seldom do.
constexpr int kLooksMax = 8;
constexpr int kIdleFailuresMax = 32;

// Taking over costs a round trip; less work than this is done before it ends.
constexpr absl::Duration kWorthTakingOver = absl::Milliseconds(1);

// Each Assign fits limits::kMessageBytesMax several times over.
constexpr std::size_t kAssignBytesMax = 512 * 1024;
constexpr std::size_t kInputOverheadBytes = 64;

// A task that takes so many times what it should has a slow worker.
constexpr double kOverdue = 2;

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

void Scheduler::RevokeAll(JobId job) {
  const auto found = seats_.find(job);
  if (found == seats_.end()) return;
  for (const auto& [worker, version] : found->second.briefed) {
    WorkerLoad& load = loads_.at(worker);
    if (load.count() == 0) continue;
    for (const InFlight& task : load.List()) {
      if (task.job != job) continue;
      Erase(worker, load, task.id);
      revokes_[worker].push_back(task.id);
    }
    Touch(worker);
  }
}

void Scheduler::NoteWork(JobId job) {
  const auto found = seats_.find(job);
  if (found == seats_.end()) return;
  with_work_.insert(job);
  // Where no other worker may help, those that may are looked at for sure.
  if (found->second.max_workers == 0) return;
  for (const auto& [worker, version] : found->second.briefed) Touch(worker);
}

int Scheduler::workers_used(JobId job) const {
  const auto found = seats_.find(job);
  return found == seats_.end() ? 0
                               : static_cast<int>(found->second.ever.size());
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

// --- who may have what -------------------------------------------------------

bool Scheduler::IsAllowed(const Seat& seat, WorkerId worker,
                          const WorkerLoad& load) const {
  if (seat.max_workers > 0 && std::ssize(seat.briefed) >= seat.max_workers &&
      !seat.briefed.contains(worker)) {
    return false;
  }
  // Where the bytes are, as long as anybody is there.
  const auto* segment = std::get_if<SegmentSource>(&seat.matrix->source);
  return segment == nullptr || segment->host.empty() ||
         segment->host == load.host() ||
         members_.ready_count_at(segment->host) == 0;
}

// Among how many threads like this worker's the job is shared out: a slow one
// gets less at a time.
int Scheduler::ThreadsFor(const Seat& seat, const WorkerLoad& load) const {
  double threads = thread_count_;
  if (seat.max_workers > 0) {
    const int workers = std::max(1, members_.ready_count());
    threads *=
        static_cast<double>(std::min(seat.max_workers, workers)) / workers;
  }
  return static_cast<int>(
      std::clamp(threads * std::max(1.0, load.slowness()), 1.0, 1e9));
}

// Tasks that may wait behind the running ones: as many as last for
// queue_ahead, one while nothing is measured.
int Scheduler::QueueDepth(const Seat& seat, const WorkerLoad& load) const {
  const JobCore& job = *seat.core;
  if (job.record().state != JobState::kRunning || !job.is_measured()) return 1;
  const double task_ns = absl::ToDoubleNanoseconds(job.leaf_time()) *
                         static_cast<double>(job.min_run_leaves());
  const double wanted = absl::ToDoubleNanoseconds(options_.queue_ahead) *
                        load.thread_count() / std::max(task_ns, 1.0);
  return static_cast<int>(std::clamp(
      wanted, 1.0, static_cast<double>(options_.queue_ahead_tasks_max)));
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
      if (auto work = seat.core->Take(Care::kAlone, 1)) {
        Give(worker, load, job, seat, *std::move(work), now);
        return true;
      }
    }
    if (to_wait &&
        load.count() >= load.thread_count() + QueueDepth(seat, load)) {
      continue;
    }
    std::optional<Work> work;
    if (!to_wait)
      work = seat.core->Take(Care::kUnbatched, ThreadsFor(seat, load));
    if (!work.has_value()) {
      work = seat.core->Take(Care::kNone, ThreadsFor(seat, load));
    }
    if (!work.has_value()) continue;
    Give(worker, load, job, seat, *std::move(work), now);
    return true;
  }
  return false;
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
  auto work = found->second.core->Take(Care::kAlone, 1);
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
    seat.core->set_workers_used(static_cast<int>(seat.ever.size()));
  }
  if (briefed->second != seat.core->brief_version()) {
    briefed->second = seat.core->brief_version();
    briefs_.push_back(Brief{worker, job, record.round, record.order,
                            record.plan, seat.core->round_state()});
  }
  const TaskId id{next_task_++};
  load.Add({.id = id,
            .kind = work.kind,
            .care = work.care,
            .job = job,
            .round = record.round,
            .run = work.run,
            .given_at = now});
  if (work.kind == TaskKind::kCompute && work.run.leaf_count() > 1) {
    splittable_.insert({work.run.leaf_count(), worker, id});
  }
  if (!load.hungry()) hungry_.erase(worker);
  assigns_[worker].push_back(
      {id, work.kind, job, record.round, work.run, std::move(work.inputs)});
}

// --- taking over -------------------------------------------------------------

bool Scheduler::TakeOver(WorkerId worker, const WorkerLoad& load,
                         absl::Time now) {
  if (load.draining || load.empties_for.has_value() ||
      load.count(Care::kAlone) > 0) {
    return false;
  }
  return TakeWaiting(worker, load) || SplitRunning(worker, load, now);
}

// Half of what waits at the most loaded worker becomes pending work again; the
// caller fills from there.
bool Scheduler::TakeWaiting(WorkerId worker, const WorkerLoad& load) {
  for (const WorkerId touched : touched_) Index(touched, loads_.at(touched));
  int looks = 0;
  for (auto at = loaded_.rbegin(); at != loaded_.rend() && looks < kLooksMax;
       ++at, ++looks) {
    const WorkerId victim = at->second;
    WorkerLoad& loaded = loads_.at(victim);
    absl::Duration worth;
    bool is_measured = true;
    std::vector<InFlight> taken;
    for (const InFlight& task :
         loaded.NewestWaiting((loaded.waiting() + 1) / 2)) {
      const Seat& seat = seats_.at(task.job);
      if (task.care != Care::kNone || !IsAllowed(seat, worker, load)) continue;
      is_measured = is_measured && task.kind == TaskKind::kCompute &&
                    seat.core->is_measured();
      worth += seat.core->leaf_time() * task.run.leaf_count();
      taken.push_back(task);
    }
    if (taken.empty() || (is_measured && worth < kWorthTakingOver)) continue;
    for (const InFlight& task : taken) {
      Erase(victim, loaded, task.id);
      revokes_[victim].push_back(task.id);
      seats_.at(task.job).core->GiveBack(task.kind, task.round, task.run,
                                         task.care);
      NoteWork(task.job);
    }
    Index(victim, loaded);
    return true;
  }
  return false;
}

// Half of what a running task has left, by what was measured; 0 when that is
// not worth a message.
std::int64_t Scheduler::LeavesToTake(const InFlight& task, const JobCore& job,
                                     double slowness, absl::Time now) const {
  const std::int64_t length = task.run.leaf_count();
  const absl::Duration leaf_time = job.leaf_time() * slowness;
  if (!job.is_measured() || leaf_time <= absl::ZeroDuration()) {
    return length / 2;
  }
  const double done = absl::FDivDuration(now - task.given_at, leaf_time);
  // Long overdue: nobody knows how far it is, but half of it is a fair guess,
  // and a worker that is further keeps what it has.
  std::int64_t taken = length / 2;
  if (done <= kOverdue * static_cast<double>(length)) {
    // The one that runs now stays.
    const std::int64_t left = length - 1 - static_cast<std::int64_t>(done);
    taken = (std::max<std::int64_t>(left, 0) + 1) / 2;
  }
  return leaf_time * taken < kWorthTakingOver ? 0 : taken;
}

// The right half of what the longest running task has left becomes pending.
bool Scheduler::SplitRunning(WorkerId worker, const WorkerLoad& load,
                             absl::Time now) {
  int looks = 0;
  for (auto at = splittable_.rbegin();
       at != splittable_.rend() && looks < kLooksMax; ++at, ++looks) {
    const auto [length, victim, id] = *at;
    InFlight* task = loads_.at(victim).Find(id);
    Seat& seat = seats_.at(task->job);
    const JobCore& job = *seat.core;
    if (task->care != Care::kNone || !IsAllowed(seat, worker, load)) continue;

    const std::int64_t taken =
        LeavesToTake(*task, job, loads_.at(victim).slowness(), now);
    if (taken < job.min_run_leaves()) continue;
    // Where the right part is as few nodes of the tree as can be.
    std::int64_t grain = 1;
    while (2 * grain <= taken) grain *= 2;
    const std::int64_t around = task->run.end - taken;
    std::int64_t middle = (around + grain - 1) / grain * grain;
    if (middle >= task->run.end) middle = around;

    const LeafRun right{middle, task->run.end};
    splittable_.erase({length, victim, id});
    task->run.end = middle;
    if (task->run.leaf_count() > 1) {
      splittable_.insert({task->run.leaf_count(), victim, id});
    }
    shrinks_.push_back(Shrink{victim, id, middle});
    seat.core->GiveBack(TaskKind::kCompute, task->round, right, Care::kNone);
    NoteWork(task->job);
    return true;
  }
  return false;
}

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
