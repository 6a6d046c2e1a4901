// What an idle worker takes from a busy one when nothing is pending.
#include <algorithm>

#include "server/core/scheduler.h"

namespace hearth::server {
namespace {

// How many victims or running tasks are looked at before the next event is
// waited for: what the first few don't offer, the rest seldom do.
constexpr int kLooksMax = 8;

// Taking over costs a round trip; less work than this is done before it ends.
constexpr absl::Duration kWorthTakingOver = absl::Milliseconds(1);

// A task that takes so many times what it should has a slow worker.
constexpr double kOverdue = 2;

}  // namespace

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
      Seat& seat = seats_.at(task.job);
      if (task.care != Care::kNone || !IsAllowed(seat, worker, load) ||
          !MayHave(seat, load, task)) {
        continue;
      }
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
    if (task->care != Care::kNone || !IsAllowed(seat, worker, load) ||
        !MayHave(seat, load, *task)) {
      continue;
    }

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

}  // namespace hearth::server
