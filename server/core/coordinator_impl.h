// CoordinatorCore's inside: the event handlers, and what they share.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "server/core/coordinator_core.h"
#include "server/core/copy_core.h"
#include "server/core/host_book.h"
#include "server/core/job_core.h"
#include "server/core/job_shelf.h"
#include "server/core/rate_book.h"
#include "server/core/scheduler.h"
#include "server/core/spread_plan.h"
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
  const RateBook& rates() const { return rates_; }
  std::optional<double> StreamBytesPerSecond(const std::string& host) const {
    return scheduler_.locality().MeasuredAt(host);
  }
  std::map<std::string, std::int64_t> LandedBytes(absl::string_view name) const;
  std::optional<JobRecord> FindJob(JobId job) const;
  std::optional<KeptJob> KeptJobOf(JobId job) const;
  std::optional<JobId> FindJobByClientKey(absl::string_view key) const;
  std::vector<JobRecord> ListJobs() const;
  absl::Status CheckMatrix(const MatrixRecord& matrix) const;

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
  void On(StreamPaced& paced);
  void On(WorkerLost& lost);
  void On(WorkerStory& story);
  void On(TokensLeft& left);
  void On(WorkerReported& reported);
  void On(DrainWorker& drain);
  void On(HostLeaves& leaves);
  void On(TimePassed&);
  void LoseWorker(WorkerId worker);

  // --- clients ---
  void On(SubmitJob& submit);
  void On(CancelJob& cancel);
  void On(ForgetJob& forget);
  void On(PutMatrix& put);
  void On(PutWritten& written);
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
  // What it read of another host's may have stayed.
  void NoteFragments(const Sender& sender, const Commit& commit,
                     const JobRecord& job);
  // Nothing of it has to be streamed there; for a file: nothing ever.
  bool IsHomeOf(const std::string& host, const SegmentPart& part) const;
  bool IsHomeOfAll(const std::string& host, const MatrixRecord& matrix) const;
  void CountFailure(JobId job, Live& live, const InFlight& task,
                    Attempts::Failure failure);

  // --- how jobs end ---
  void BeginFailing(JobId job, Live& live, TaskKind kind, int round,
                    LeafRun run);
  void FailThoseWhoseStoryIsTold();
  void FailThoseThatNobodyWorksOn();
  void End(JobId job, JobState state, absl::Status status);
  void Shelve(JobRecord record);
  void Evict(const JobRecord& record);

  void Say(Action action) { actions_.emplace_back(std::move(action)); }
  void NoteProgress(JobId job, Live& live);
  // It is worth knowing after a restart, and worth telling.
  void NoteChange(JobId job) {
    updated_.insert(job);
    kept_.insert(job);
  }

  // --- replicas, and hosts that come and go (coordinator_replicas.cc) ---
  struct PendingPut {
    CallId call = 0;
    MatrixRecord record;
    bool replace = false;
    bool holds_replaced = false;
  };
  struct Mending {
    Id segment;
  };
  struct Moving {
    Id segment;
    Replica what;
    std::vector<Replica> from;  // all there are: none of these hosts gets it
    std::int64_t bytes = 0;
    std::string name;
  };
  struct PlacedPiece {
    std::uint64_t placing = 0;
    std::size_t piece = 0;
  };
  using Purpose = std::variant<PendingPut, Mending, Moving, PlacedPiece>;

  void On(const Sender& sender, SegmentCopied& copied);
  void PutReplicas(PutMatrix& put);
  absl::Status Register(PendingPut put);
  void FillCopies();
  void Ended(PendingPut& put, const CopyCore::Ended& ended);
  void Ended(const Mending& mending, const CopyCore::Ended& ended);
  void Ended(const Moving& moving, const CopyCore::Ended& ended);
  void Ended(const PlacedPiece& piece, const CopyCore::Ended& ended);
  void MendSome();
  void HostArrived(const std::string& host);
  void LoseHost(const std::string& host);
  // What it was counted on to keep is not any more, where another host has it.
  void Strike(const std::string& host);
  void RememberDrops(std::size_t first_action);
  void TellJobsOfMoves();
  // Who came back serves at another address: who streams from there hears it.
  void TellJobsOfAddresses();
  const SegmentSource* CurrentSource(const SegmentSource& segment) const;
  // Rows and where they were; none of a matrix that is all there.
  struct LostRows {
    RowRange rows;
    std::vector<Replica> replicas;
  };
  std::vector<LostRows> LostRowsOf(const MatrixRecord& matrix) const;
  bool IsLost(const SegmentSource& segment) const;
  bool IsLost(const MatrixRecord& matrix) const;
  // Something that its tasks need is on hosts without a worker alone.
  bool WaitsForAHost(const Live& live) const;
  absl::Status LostStory(absl::string_view attempt,
                         const MatrixRecord& matrix) const;
  void FailThoseWhoseMatrixIsLost();

  // --- matrices that the cluster places (coordinator_placing.cc) ---
  struct Placing {
    PendingPut put;
    int replicas = 1;
    OriginPtr origin;
    absl::Time refused_at;    // if there is no room by then
    absl::Time planned_at;    // not before
    bool has_failed = false;  // once, where what was free was not so any more
    std::vector<PlannedPiece> plan;     // empty: no room yet
    std::vector<SegmentSource> pieces;  // made; no replicas: not yet
    std::map<CopyId, std::size_t> under_way;
  };
  void Place(PutMatrix& put);
  void BeginPlacings();
  void BeginPlacing(std::uint64_t number, Placing& placing);
  void GiveUpPieces(Placing& placing);
  void BeginPiece(std::uint64_t number, Placing& placing, std::size_t piece);
  void FinishPlacing(std::uint64_t number, absl::Status status);
  void LosePiecesAt(const std::string& host);
  absl::Status NoRoom(const Placing& placing,
                      const std::vector<HostRoom>& rooms) const;

  // --- workers that are let go (coordinator_drains.cc) ---
  struct Drain {
    std::vector<CallId> calls;
    bool leaves_anyway = false;
    absl::Time since;
  };
  // What a host hands over before its last worker goes.
  struct Handover {
    std::map<Id, CopyId> under_way;  // by the token that it has here
    std::set<Id> given_up;
    std::vector<std::string> lost;
    std::vector<Replica> moved;
    std::int64_t bytes_moved = 0;
    absl::Status failed;
  };
  void BeginDrain(WorkerId worker, bool leaves_anyway, CallId call);
  void StepDrains();
  void StepDrain(WorkerId worker);
  // True when nothing is left that only this host has.
  bool HandOver(const std::string& host, WorkerId worker);
  std::vector<Moving> OnlyAt(const std::string& host) const;
  void AbandonHandover(const std::string& host);
  void ForgetHandover(const std::string& host);
  void ForgetHandoverUnlessDraining(const std::string& host);
  void LetGo(WorkerId worker);
  void ForgetDrain(WorkerId worker, const absl::Status& status);

  const CoordinatorOptions options_;
  CatalogCore catalog_;
  MembershipCore members_;
  TokenBook tokens_;
  FragmentBook fragments_;
  Scheduler scheduler_;
  RateBook rates_;
  HostBook hosts_;
  CopyCore copies_;
  std::map<CopyId, Purpose> purposes_;
  std::map<CallId, MatrixPtr> replaced_;  // held until PutWritten
  std::uint64_t next_placing_ = 1;
  std::map<std::uint64_t, Placing> placings_;
  std::set<Id> mending_;                     // segments
  std::multimap<absl::Time, Id> mends_due_;  // looked at lazily
  // Of hosts without a worker: what they may still hold.
  struct Absent {
    std::map<Id, Replica> struck;  // by segment
    std::vector<Id> owed;          // tokens to be dropped
  };
  std::map<std::string, Absent> absent_;
  std::set<std::string> readdressed_;  // hosts that workers came to, or left
  std::map<WorkerId, Drain> drains_;
  std::map<std::string, Handover> handovers_;  // by host
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
  bool look_at_drains_ = false;
  std::vector<Action> actions_;
  std::set<JobId> updated_;  // said once, however much happened to it
  std::set<JobId> kept_;     // the same
  std::vector<JobId> evicted_;
};

}  // namespace hearth::server
