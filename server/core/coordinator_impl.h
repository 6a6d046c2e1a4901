// CoordinatorCore's inside: the event handlers, and what they share.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/core/coordinator_core.h"
#include "server/core/job_core.h"
#include "server/core/job_shelf.h"
#include "server/core/scheduler.h"
#include "server/core/token_book.h"

namespace hearth::server {

// Each Handle: believe the event, settle what it decided, give out work.
class CoordinatorCore::Impl {
 public:
  explicit Impl(CoordinatorOptions options);

  std::vector<Action> Handle(Event&& event, absl::Time now);

  const CatalogCore& catalog() const { return catalog_; }
  const MembershipCore& members() const { return members_; }
  const TokenBook& tokens() const { return tokens_; }
  std::optional<JobRecord> FindJob(JobId job) const;
  std::optional<KeptJob> KeptJobOf(JobId job) const;
  std::optional<JobId> FindJobByClientKey(absl::string_view key) const;
  std::vector<JobRecord> ListJobs() const;

 private:
  // Out of attempts: waits for the stories of its workers.
  struct Failing {
    TaskKind kind = TaskKind::kCompute;
    LeafRun run;
    std::vector<Attempts::Failure> attempts;
    absl::Time deadline;
  };
  struct Live {
    JobCore core;
    absl::Time last_update;
    bool forget = false;
    std::optional<Failing> failing;
    // Adopted, and nothing of it given out yet: workers that come back tell
    // first what they have of it.
    bool is_waiting = false;
  };
  struct Sender {
    WorkerId worker{};
    std::string host;
  };

  // --- workers (coordinator_core.cc) ---
  void On(WorkerJoined& joined);
  void On(Heartbeat& beat);
  void On(WorkerLost& lost);
  void On(WorkerStory& story);
  void On(TokensLeft& left);
  void On(WorkerReported& reported);
  void On(DrainWorker& drain);
  void On(TimePassed&);
  void LoseWorker(WorkerId worker);

  // --- clients ---
  void On(SubmitJob& submit);
  void On(CancelJob& cancel);
  void On(ForgetJob& forget);
  void On(PutMatrix& put);
  void On(SealMatrix& seal);
  void On(RemoveMatrix& remove);
  absl::StatusOr<MatrixPtr> Resolve(const MatrixRef& ref) const;

  // --- its own past (coordinator_recovery.cc) ---
  void On(Recovered& recovered);
  void Adopt(KeptJob& kept);
  void GiveOutAdopted();

  // --- reports (coordinator_reports.cc) ---
  void On(const Sender& sender, Commit& commit);
  void On(const Sender& sender, TaskFailed& failed);
  void On(const Sender& sender, InputMissing& missing);
  void On(const Sender& sender, PlanReady& ready);
  void On(const Sender& sender, FinishDone& done);
  // Null for a job that has ended, is about to, or never was.
  Live* Running(JobId job);
  void Settle(JobId job, Live& live);
  void CountFailure(JobId job, Live& live, const InFlight& task,
                    Attempts::Failure failure);

  // --- how jobs end ---
  void BeginFailing(JobId job, Live& live, TaskKind kind, int round,
                    LeafRun run);
  void FailThoseWhoseStoryIsTold();
  void FailThoseThatNobodyWorksOn();
  void End(JobId job, JobState state, absl::Status status);
  void Evict(const JobRecord& record);

  void Say(Action action) { actions_.emplace_back(std::move(action)); }
  void NoteProgress(JobId job, Live& live);
  // It is worth knowing after a restart, and worth telling.
  void NoteChange(JobId job) {
    updated_.insert(job);
    kept_.insert(job);
  }

  const CoordinatorOptions options_;
  CatalogCore catalog_;
  MembershipCore members_;
  TokenBook tokens_;
  Scheduler scheduler_;
  std::uint64_t next_job_ = 1;
  std::map<JobId, std::unique_ptr<Live>> live_;
  JobShelf ended_;
  std::map<std::string, JobId, std::less<>> by_client_key_;
  std::optional<absl::Time> workerless_since_;
  // Of a coordinator with a past: until when workers come back.
  std::optional<absl::Time> adopts_at_;
  absl::Time rejoined_by_ = absl::InfinitePast();

  absl::Time now_;
  bool look_at_everyone_ = false;
  std::vector<Action> actions_;
  std::set<JobId> updated_;  // said once, however much happened to it
  std::set<JobId> kept_;     // the same
  std::vector<JobId> evicted_;
};

}  // namespace hearth::server
