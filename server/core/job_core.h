#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/core/attempts.h"
#include "server/core/coordinator_options.h"
#include "server/core/cover.h"
#include "server/core/job_record.h"
#include "server/core/task.h"
#include "server/core/token_book.h"
#include "server/core/work_queue.h"

namespace hearth::server {

// How a piece of work is given out, by what it did to those who had it before.
enum class Care : std::uint8_t {
  kNone,
  // Its worker was lost while it, or something near it, ran: nothing waits
  // behind it, so that a second loss says exactly what ran.
  kUnbatched,
  // Two attempts failed: it runs with nothing beside it, so that the third
  // blames nobody else.
  kAlone,
};
inline constexpr std::size_t kCareCount = 3;

// A piece of work that a job has to give out.
struct Work {
  TaskKind kind = TaskKind::kCompute;
  LeafRun run{};
  Care care = Care::kNone;
  std::vector<RunInput> inputs{};
};

// One job: what of it is done, what is left, and what has failed.
//
//   planning --PlanReady--> running --all leaves--> finishing --results--> done
//                             ^------ a state --------'
//
// Kind: resource, single-threaded. It knows no workers but in its failures:
//       who computes what is the Scheduler's.
class JobCore {
 public:
  // `record.order` set, `record.state` planning.
  JobCore(JobRecord record, const CoordinatorOptions& options,
          TokenBook& tokens);

  // Goes on where an earlier coordinator was: in that round, with that state,
  // and with nothing committed. Once, before anything else.
  void Resume(JobRecord record, BytesRef round_state);

  const JobRecord& record() const { return record_; }
  // Grows whenever workers have to be briefed anew.
  int brief_version() const { return brief_version_; }
  const BytesRef& round_state() const { return round_state_; }

  // --- what is left ---
  bool HasWork() const;
  bool HasWork(Care care) const;
  // Who asks for a piece.
  struct Wish {
    int thread_count = 1;  // of the cluster
    // Of a reader of a file: its place there (WorkQueue::TakeAt).
    std::optional<std::int64_t> place{};
    // Of a matrix in several places: leaves in these runs alone.
    const std::vector<LeafRun>* within = nullptr;
    // On another host than the result that tasks write into: nothing but
    // leaves, so many at a time; 0: not so.
    std::int64_t elsewhere_leaves_max = 0;
  };
  // The next piece with that care.
  std::optional<Work> Take(Care care, const Wish& wish);
  // A piece that was not done after all. What of it is committed by now, or is
  // of another round, is left out.
  void GiveBack(TaskKind kind, int round, LeafRun run, Care care);
  bool IsCommitted(LeafRun run) const { return cover_.Covers(run); }

  // How long a leaf takes, by what was measured; zero before that.
  absl::Duration leaf_time() const { return leaf_time_; }
  bool is_measured() const { return is_measured_; }
  void Measure(LeafRun run, absl::Duration busy);
  std::int64_t min_run_leaves() const;
  // A result that is waited for where it lies, and nowhere else.
  bool HasWorkAtResult() const {
    return record_.plan != nullptr && record_.plan->concatenates &&
           (single_.has_value() || !combines_.empty());
  }
  // That nobody was given yet.
  std::int64_t pending_leaves() const {
    return queue(Care::kNone).leaf_count();
  }

  // --- what is reported ---
  // Whether a report was of use. One that is not has had its tokens dropped,
  // but for those that are in use (a second copy of what was accepted).
  enum class Verdict : std::uint8_t { kAccepted, kIgnored, kBad };
  Verdict OnCommit(Commit& commit);
  Verdict OnPlanReady(PlanReady& ready);
  Verdict OnFinishDone(FinishDone& done);
  // Voids what is missing; kBad when that has happened too often.
  Verdict OnInputMissing(const InputMissing& missing, TaskKind kind,
                         LeafRun run);

  // True when the piece has failed limits::kAttemptsMax times. Otherwise to be
  // given back with CareOf.
  bool RecordFailure(Attempts::Failure failure);
  Care CareOf(TaskKind kind, int round, LeafRun run) const;
  const Attempts& attempts() const { return attempts_; }
  void CountRetry() { ++record_.retries; }
  // Another worker, of that host, has its first task of the job: the count-th.
  void NoteWorker(const std::string& host, int count) {
    record_.workers_used = count;
    ++record_.hosts[host].workers_used;
  }

  // The same matrices, lying elsewhere.
  void SetOrder(std::shared_ptr<const JobOrder> order);
  // What lay at that host is gone: everything where it begins anew, or its
  // round does; or partials, whose leaves are computed again.
  enum class Loss : std::uint8_t { kNothing, kPartials, kEverything };
  Loss OnHostLost(const std::string& host);

  // True when all leaves have just been committed: finishing from now on.
  bool FinishWhenComplete();

  // Ends it in this state: what it held is dropped, but for results.
  void End(JobState state, absl::Status status, absl::Time now);

 private:
  void PlanAnew();
  void BeginRound(int round);
  void DropPartials();
  void ConsiderCombining(LeafRun committed);
  void CombineSoon(LeafRun run);
  void ForgetCombinesWithin(LeafRun run);
  std::optional<Work> TakeLeaves(Care care, const Wish& wish);
  std::optional<Work> TakeCombine(Care care);
  std::int64_t NextRunLeaves(int thread_count) const;
  std::deque<LeafRun>& combines_waiting(Care care) {
    return combines_waiting_[static_cast<std::size_t>(care)];
  }
  WorkQueue& queue(Care care) {
    return queues_[static_cast<std::size_t>(care)];
  }
  const WorkQueue& queue(Care care) const {
    return queues_[static_cast<std::size_t>(care)];
  }

  JobRecord record_;
  const CoordinatorOptions& options_;
  TokenBook& tokens_;
  int brief_version_ = 0;
  BytesRef round_state_;
  int void_count_ = 0;

  std::optional<Care> single_;  // the plan or finish task, if not given out
  std::array<WorkQueue, kCareCount> queues_;
  Cover cover_;
  std::map<std::int64_t, std::int64_t> combines_;  // begin → end; wanted
  std::array<std::deque<LeafRun>, kCareCount> combines_waiting_;

  Attempts attempts_;
  bool is_measured_ = false;
  absl::Duration leaf_time_;
};

}  // namespace hearth::server
