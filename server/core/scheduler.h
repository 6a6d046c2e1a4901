#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "server/core/actions.h"
#include "server/core/coordinator_options.h"
#include "server/core/homes.h"
#include "server/core/job_core.h"
#include "server/core/locality.h"
#include "server/core/membership_core.h"
#include "server/core/worker_load.h"

namespace hearth::server {

// Which worker gets which piece of which job.
//
// Every thread has a task and enough waiting behind it to never wait itself;
// jobs take turns; large runs first, smaller ones towards the end; of a file
// each worker reads a part from front to back; a worker with nothing to do
// takes what waits elsewhere, then half of what runs.
//
// Kind: resource, single-threaded. Works on the jobs that it was given until
//       they are removed.
// Cost: O(log n) a task, O(workers) for each part of a file; a job's start or a
// worker's end costs O(workers).
class Scheduler {
 public:
  Scheduler(const CoordinatorOptions& options, const MembershipCore& members,
            const FragmentBook& fragments)
      : options_(options), members_(members), fragments_(fragments) {}

  // Task numbers of an earlier coordinator are never given out again.
  void StartLife(std::uint64_t life) { next_task_ = (life << 40) | 1; }

  void AddWorker(WorkerId worker, const std::string& host, int thread_count);
  // What it had, oldest first: the first `running` of them were running.
  struct Left {
    std::vector<InFlight> tasks;
    int running = 0;
  };
  Left RemoveWorker(WorkerId worker);
  void Drain(WorkerId worker);
  void Undrain(WorkerId worker);
  int task_count(WorkerId worker) const;
  // Takes back what waits there, or all that it has.
  std::vector<InFlight> TakeBack(WorkerId worker, bool running_too);

  void AddJob(JobId job, JobCore* core);
  // Every worker that was briefed drops it.
  void RemoveJob(JobId job);
  // Its matrices lie elsewhere now: whoever was briefed hears it at once.
  void BriefAgain(JobId job);
  // Its tasks are of no use any more: a round is complete.
  void RevokeAll(JobId job);
  // Takes back what works on partials: some of them are gone.
  std::vector<InFlight> TakeBackOnPartials(JobId job);
  // It has work again: look at it in the next Fill.
  void NoteWork(JobId job);

  // The task that a report answers, once; none for a late or doubled report.
  std::optional<InFlight> TakeAnswered(WorkerId worker, TaskId task);
  // The same task, still in flight.
  std::optional<InFlight> FindTask(WorkerId worker, TaskId task);
  // The host can't see the job's file: it gets nothing of it any more. False
  // when no other host is left that may.
  bool Exclude(JobId job, const std::string& host);

  // It took so many times the mean for the leaves of a task.
  void NoteSlowness(WorkerId worker, double ratio);
  // See Locality::NoteStream; true where others may cross now that it is known.
  bool NoteStream(const std::string& host, std::int64_t streamed,
                  absl::Duration busy) {
    return locality_.NoteStream(host, streamed, busy);
  }
  const Locality& locality() const { return locality_; }
  // The worker has spoken: it may need more.
  void Touch(WorkerId worker) { touched_.insert(worker); }

  // Gives out work, and appends what is to be said to workers.
  void Fill(absl::Time now, bool look_at_everyone,
            std::vector<Action>& actions);

 private:
  struct Seat {  // of a job
    JobCore* core = nullptr;
    std::map<WorkerId, int> briefed;  // worker → brief_version
    std::set<WorkerId> ever;          // had a task of it
    // Of a file: where the runs end that each worker was given last, one for
    // each of its threads, oldest first. Who goes on there reads on, where the
    // kernel has read ahead already.
    std::map<WorkerId, std::deque<std::int64_t>> places;
    std::optional<WorkerId> emptying;
    std::set<std::string> excluded;  // hosts
    // Replaces `core` being asked again and again within one Fill.
    MatrixPtr matrix;
    int max_workers = 0;
    // Of a matrix in pieces or with fragments, as briefed in that version.
    std::optional<Homes> homes;
    int homes_version = -1;
    std::int64_t crossed_leaves = 0;  // given to hosts that did not have them
  };
  using Splittable = std::tuple<std::int64_t, WorkerId, TaskId>;

  bool HasHostFor(const Seat& seat) const;
  // Of its max_workers: those that may work on it still.
  int BriefedCount(const Seat& seat) const;
  // Nothing of the job's matrix has to be streamed to this host.
  bool IsHome(const Seat& seat, const std::string& host) const;
  bool IsAllowed(Seat& seat, WorkerId worker, const WorkerLoad& load) const;
  // --- of a job whose result is as long as its matrix, and lies on one host
  // --- Who plans, gathers and finishes; anybody, of any other job.
  bool IsAtResult(const Seat& seat, const WorkerLoad& load) const;
  // It would take the last seat, and nobody with one is where rows are
  // gathered.
  bool NeedsOneAtResult(const Seat& seat, const WorkerLoad& load) const;
  // On another host: whether it may compute leaves, whose rows are gathered.
  bool MayHandOver(const Seat& seat, const WorkerLoad& load) const;
  // Of so many leaves; 0 of any other job.
  std::int64_t ResultBytes(const Seat& seat, std::int64_t leaves) const;
  // --- of matrices in several places (scheduler_spread.cc) ---
  // Null for any other, and where it does not matter what lies where.
  const Homes* HomesOf(Seat& seat) const;
  // The host that keeps what `host` maps; itself where there is none.
  const std::string& HomeNear(const Seat& seat, const std::string& host) const;
  bool IsAllowedNear(const Seat& seat, const SpreadSource& spread,
                     const WorkerLoad& load) const;
  bool IsAtHome(Seat& seat, const std::string& host, LeafRun run) const;
  bool MayCross(const Seat& seat, const Homes& homes,
                const WorkerLoad& load) const;
  // A host that has fragments has had its share of this matrix once.
  bool HasEnough(const Seat& seat, const Homes& homes,
                 const std::string& host) const;
  // Whether a worker that may have some of the job may have this of it.
  bool MayHave(Seat& seat, const WorkerLoad& load, const InFlight& task) const;
  std::optional<Work> TakeFor(Seat& seat, const WorkerLoad& load, Care care,
                              int thread_count,
                              std::optional<std::int64_t> place) const;
  int QueueDepth(const Seat& seat, const WorkerLoad& load) const;
  int ThreadsFor(const Seat& seat, const WorkerLoad& load) const;

  // Each: true when the worker got something.
  bool GiveOne(WorkerId worker, WorkerLoad& load, bool to_wait, absl::Time now);
  std::optional<std::int64_t> PlaceOf(const Seat& seat, WorkerId worker,
                                      const WorkerLoad& load) const;
  bool GiveAlone(WorkerId worker, WorkerLoad& load, absl::Time now);
  bool TakeOver(WorkerId worker, const WorkerLoad& load, absl::Time now);
  bool TakeWaiting(WorkerId worker, const WorkerLoad& load);
  std::int64_t LeavesToTake(const InFlight& task, const JobCore& job,
                            double slowness, absl::Time now) const;
  bool SplitRunning(WorkerId worker, const WorkerLoad& load, absl::Time now);

  void FillThreads(WorkerId worker, absl::Time now);
  void FillQueue(WorkerId worker, absl::Time now);
  void BriefOne(WorkerId worker, JobId job, Seat& seat, int& version);
  void Give(WorkerId worker, WorkerLoad& load, JobId job, Seat& seat, Work work,
            absl::Time now);
  std::optional<InFlight> Erase(WorkerId worker, WorkerLoad& load, TaskId task);
  std::vector<InFlight> TakeBackIf(
      JobId job, absl::FunctionRef<bool(const InFlight&)> wanted);
  void StopEmptying(WorkerLoad& load);
  void Index(WorkerId worker, const WorkerLoad& load);
  void Speak(std::vector<Action>& actions);

  const CoordinatorOptions& options_;
  const MembershipCore& members_;
  const FragmentBook& fragments_;
  Locality locality_;
  std::uint64_t next_task_ = 1;
  std::map<WorkerId, WorkerLoad> loads_;
  int thread_count_ = 0;

  std::map<JobId, Seat> seats_;
  std::set<JobId> with_work_;
  JobId last_served_{};

  std::set<WorkerId> touched_;
  std::set<WorkerId> hungry_;
  std::map<WorkerId, int> waiting_by_worker_;  // as filed in loaded_
  std::set<std::pair<int, WorkerId>> loaded_;  // those with waiting tasks
  std::set<Splittable> splittable_;            // compute tasks of 2 leaves and
                                               // more, by length

  std::vector<Action> releases_;
  std::vector<Action> briefs_;
  std::map<WorkerId, std::vector<Task>> assigns_;
  std::map<WorkerId, std::vector<TaskId>> revokes_;
  std::vector<Action> shrinks_;
};

}  // namespace hearth::server
