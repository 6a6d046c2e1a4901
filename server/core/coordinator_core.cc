#include "server/core/coordinator_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "server/core/coordinator_impl.h"
#include "server/core/job_story.h"

namespace hearth::server {
namespace {

// Jobs that run at once; each is a few hundred bytes and its partials.
constexpr std::size_t kRunningJobsMax = 10'000;

absl::Status UnknownJob(absl::string_view attempt, JobId job) {
  return Error(Reason::kJobUnknown,
               absl::StrCat(attempt, " ", ToString(job),
                            ": no such job is kept; \"hearth jobs\" lists "
                            "those there are"));
}

}  // namespace

CoordinatorCore::CoordinatorCore(CoordinatorOptions options)
    : impl_(std::make_unique<Impl>(options)) {}
CoordinatorCore::~CoordinatorCore() = default;

std::vector<Action> CoordinatorCore::Handle(const Event& event,
                                            absl::Time now) {
  return impl_->Handle(Event(event), now);
}
std::vector<Action> CoordinatorCore::Handle(Event&& event, absl::Time now) {
  return impl_->Handle(std::move(event), now);
}
const CatalogCore& CoordinatorCore::catalog() const { return impl_->catalog(); }
const MembershipCore& CoordinatorCore::members() const {
  return impl_->members();
}
std::optional<JobRecord> CoordinatorCore::FindJob(JobId job) const {
  return impl_->FindJob(job);
}
std::optional<KeptJob> CoordinatorCore::KeptJobOf(JobId job) const {
  return impl_->KeptJobOf(job);
}
std::optional<JobId> CoordinatorCore::FindJobByClientKey(
    absl::string_view key) const {
  return impl_->FindJobByClientKey(key);
}
std::vector<JobRecord> CoordinatorCore::ListJobs() const {
  return impl_->ListJobs();
}
absl::Status CoordinatorCore::CheckMatrix(const MatrixRecord& matrix) const {
  return impl_->CheckMatrix(matrix);
}
std::optional<double> CoordinatorCore::ThreadBytesPerSecond(
    const std::string& operation, const std::string& arguments,
    const MatrixLayout& layout) const {
  return impl_->rates().Find(operation, arguments, layout);
}
std::optional<double> CoordinatorCore::StreamBytesPerSecond(
    const std::string& host) const {
  return impl_->StreamBytesPerSecond(host);
}
std::map<std::string, std::int64_t> CoordinatorCore::LandedBytes(
    absl::string_view name) const {
  return impl_->LandedBytes(name);
}
std::size_t CoordinatorCore::live_token_count() const {
  return impl_->tokens().live_count();
}

std::vector<WorkerId> CoordinatorCore::WorkersNear(
    const SegmentSource* segment) const {
  std::vector<WorkerId> near;
  if (segment == nullptr) {
    for (const WorkerRecord& worker : members().List()) {
      if (worker.state != WorkerState::kLost) near.push_back(worker.id);
    }
    return near;
  }
  for (const Replica& one : segment->replicas) {
    const std::vector<WorkerId> there = members().LiveAt(one.host);
    near.insert(near.end(), there.begin(), there.end());
  }
  std::sort(near.begin(), near.end());
  return near;
}

// --- inside ------------------------------------------------------------------

CoordinatorCore::Impl::Impl(CoordinatorOptions options)
    : options_(options),
      members_(options.lease),
      scheduler_(options_, members_, fragments_),
      hosts_(options.host_grace),
      copies_(options_, members_, hosts_),
      ended_(options_) {}

std::vector<Action> CoordinatorCore::Impl::Handle(Event&& event,
                                                  absl::Time now) {
  now_ = now;
  look_at_everyone_ = false;
  std::visit([this](auto& what) { On(what); }, event);
  StepDrains();
  FillCopies();
  StepDrains();  // once more, where a copy could not even begin
  TellJobsOfMoves();
  scheduler_.Fill(now_, look_at_everyone_, actions_);
  for (SegmentSource& segment : catalog_.TakeReleased()) {
    for (const Replica& one : segment.replicas) {
      if (!tokens_.IsLive(one.token)) tokens_.Drop(one.host, one.token);
    }
    fragments_.Forget(segment.token);
    Say(MatrixGone{segment.token});
  }
  const std::size_t drops = actions_.size();
  tokens_.TakeDrops([this](const Id& token) { return catalog_.Holds(token); },
                    actions_);
  RememberDrops(drops);
  for (const JobId job : std::exchange(kept_, {})) Say(KeepJob{job});
  for (const JobId job : std::exchange(updated_, {})) Say(JobUpdated{job});
  for (const JobId job : std::exchange(evicted_, {})) Say(JobEvicted{job});
  return std::exchange(actions_, {});
}

std::optional<JobRecord> CoordinatorCore::Impl::FindJob(JobId job) const {
  const auto live = live_.find(job);
  if (live != live_.end()) return live->second->core.record();
  const JobRecord* ended = ended_.Find(job);
  if (ended == nullptr) return std::nullopt;
  return *ended;
}

std::optional<KeptJob> CoordinatorCore::Impl::KeptJobOf(JobId job) const {
  const auto live = live_.find(job);
  if (live != live_.end()) {
    const JobCore& core = live->second->core;
    return KeptJob{core.record(), core.round_state()};
  }
  const JobRecord* ended = ended_.Find(job);
  if (ended == nullptr) return std::nullopt;
  return KeptJob{*ended, {}};
}

std::optional<JobId> CoordinatorCore::Impl::FindJobByClientKey(
    absl::string_view key) const {
  const auto found = by_client_key_.find(key);
  if (found == by_client_key_.end()) return std::nullopt;
  return found->second;
}

std::vector<JobRecord> CoordinatorCore::Impl::ListJobs() const {
  std::map<JobId, JobRecord> jobs;
  for (const auto& [id, live] : live_) jobs[id] = live->core.record();
  for (const auto& [id, record] : ended_.all()) {
    jobs[id] = record;
    jobs[id].results.clear();
  }
  std::vector<JobRecord> list;
  list.reserve(jobs.size());
  for (auto& [id, record] : jobs) list.push_back(std::move(record));
  return list;
}

// --- workers -----------------------------------------------------------------

void CoordinatorCore::Impl::On(WorkerJoined& joined) {
  const auto member = members_.Join(joined.identity, now_);
  for (const WorkerId lost : member.lost) LoseWorker(lost);
  workerless_since_.reset();
  scheduler_.AddWorker(member.worker, joined.identity.host,
                       joined.identity.thread_count);
  Say(Welcome{joined.call, member.worker, member.epoch});
  const std::string& host = joined.identity.host;
  if (members_.live_count_at(host) == 1) HostArrived(host);
  if (!live_.empty()) readdressed_.insert(host);
  hosts_.NoteFree(host, joined.free_bytes);
}

// Later ones say less than whole tasks do, of which some are known by then.
void CoordinatorCore::Impl::On(StreamPaced& paced) {
  const WorkerRecord* worker = members_.Find(paced.worker);
  if (worker == nullptr || worker->epoch != paced.epoch) return;
  const std::string& host = worker->identity.host;
  if (scheduler_.locality().MeasuredAt(host).has_value()) return;
  look_at_everyone_ |= scheduler_.NoteStream(host, paced.bytes, paced.took);
}

void CoordinatorCore::Impl::On(Heartbeat& beat) {
  if (members_.Renew(beat.worker, beat.epoch, now_)) {
    hosts_.NoteFree(members_.Find(beat.worker)->identity.host, beat.free_bytes);
    if (beat.is_copying) copies_.OnProgress(beat.worker, now_);
    return;
  }
  Say(Refuse{beat.worker, beat.epoch,
             Error(Reason::kWorkerLost,
                   absl::StrCat("heartbeat of ", ToString(beat.worker),
                                ": this stream is over; join again"))});
}

void CoordinatorCore::Impl::On(WorkerLost& lost) {
  if (members_.Lose(lost.worker, lost.epoch, lost.what, now_)) {
    LoseWorker(lost.worker);
  }
}

void CoordinatorCore::Impl::LoseWorker(WorkerId worker) {
  const Scheduler::Left left = scheduler_.RemoveWorker(worker);
  const WorkerRecord* record = members_.Find(worker);
  const std::string why = record == nullptr ? "" : record->lost_why;
  int position = 0;
  for (const InFlight& task : left.tasks) {
    const bool was_running = position++ < left.running;
    Live* live = Running(task.job);
    if (live == nullptr || options_.drop_requeue_for_test) continue;
    if (was_running) {
      CountFailure(task.job, *live, task,
                   {.kind = task.kind,
                    .round = task.round,
                    .run = task.run,
                    .worker = worker,
                    .worker_lost = true,
                    .what = why,
                    .at = now_});
      continue;
    }
    // Commits on their way were lost with it, so one of these may be what it
    // died of: they are given out again where that would show.
    const Care care = std::max(
        Care::kUnbatched, live->core.CareOf(task.kind, task.round, task.run));
    live->core.GiveBack(task.kind, task.round, task.run, care);
    live->core.CountRetry();
    scheduler_.NoteWork(task.job);
  }
  copies_.OnWorkerLost(worker);
  ForgetDrain(worker,
              Error(Reason::kWorkerLost,
                    absl::StrCat("drain ", ToString(worker),
                                 ": it was lost before it was let go: ", why)));
  look_at_everyone_ = true;
  if (record == nullptr) return;
  if (members_.live_count_at(record->identity.host) > 0) {
    // It may have been the one that others stream from.
    if (!live_.empty()) readdressed_.insert(record->identity.host);
    return;
  }
  const WorkerIdentity& identity = record->identity;
  hosts_.Emptied(
      identity.host,
      absl::StrCat(ToString(worker), identity.address.empty() ? "" : " at ",
                   identity.address, ", which was lost (", why, ")"),
      now_);
}

void CoordinatorCore::Impl::On(TokensLeft& left) {
  for (const Id& token : left.tokens) {
    if (!tokens_.IsLive(token)) tokens_.Drop(left.host, token);
  }
}

void CoordinatorCore::Impl::On(WorkerStory& story) {
  members_.Tell(story.host, story.pid, story.story);
  FailThoseWhoseStoryIsTold();
}

void CoordinatorCore::Impl::On(WorkerReported& reported) {
  if (!members_.Renew(reported.worker, reported.epoch, now_)) {
    // Nothing of it is dropped: it joins again and reports again, or its
    // keeper tells what it left.
    Say(Refuse{reported.worker, reported.epoch,
               Error(Reason::kWorkerLost,
                     absl::StrCat("report of ", ToString(reported.worker),
                                  ": this stream is over; join again"))});
    return;
  }
  Say(Acknowledge{reported.worker, reported.sequence});
  const Sender sender{reported.worker,
                      members_.Find(reported.worker)->identity.host};
  for (Report& report : reported.reports) {
    std::visit([&](auto& what) { On(sender, what); }, report);
  }
}

void CoordinatorCore::Impl::On(TimePassed&) {
  if (adopts_at_.has_value() && now_ >= *adopts_at_) GiveOutAdopted();
  for (const WorkerId worker : members_.Expire(now_)) {
    Say(Refuse{worker, members_.Find(worker)->epoch,
               Error(Reason::kWorkerLost,
                     absl::StrCat(ToString(worker), ": ",
                                  members_.Find(worker)->lost_why))});
    LoseWorker(worker);
  }
  FailThoseWhoseStoryIsTold();
  FailThoseThatNobodyWorksOn();
  for (const JobRecord& aged : ended_.TakeAged(now_)) Evict(aged);
  copies_.OnTimePassed(now_);
  BeginPlacings();
  // Named in a record, and never seen: it has its grace, too.
  for (const std::string& host : catalog_.Hosts()) {
    if (!hosts_.Knows(host) && now_ >= rejoined_by_) {
      hosts_.Emptied(host, "", now_);
    }
  }
  TellJobsOfAddresses();
  for (const std::string& host : hosts_.TakeLost(now_)) LoseHost(host);
  if (hosts_.any_lost()) FailThoseWhoseMatrixIsLost();
  MendSome();
  look_at_drains_ = true;
  look_at_everyone_ = true;
}

// --- clients -----------------------------------------------------------------

absl::StatusOr<MatrixPtr> CoordinatorCore::Impl::Resolve(
    const MatrixRef& ref) const {
  if (const auto* record = std::get_if<MatrixRecord>(&ref)) {
    return std::make_shared<const MatrixRecord>(*record);
  }
  auto matrix = catalog_.Get(std::get<std::string>(ref));
  if (matrix.ok() && IsLost(**matrix)) {
    return LostStory(absl::StrCat("compute on \"", (*matrix)->name, "\""),
                     **matrix);
  }
  if (matrix.ok() && !(*matrix)->sealed) {
    return Error(Reason::kSegmentBusy,
                 absl::StrCat("compute on \"", (*matrix)->name,
                              "\": it is still open; seal it first"));
  }
  return matrix;
}

void CoordinatorCore::Impl::On(SubmitJob& submit) {
  const auto known = by_client_key_.find(submit.client_key);
  if (!submit.client_key.empty() && known != by_client_key_.end()) {
    Say(Answer{submit.call, absl::OkStatus(), known->second});
    return;
  }
  const auto refuse = [&](absl::Status status) {
    Say(Answer{submit.call, std::move(status), {}});
  };
  if (live_.size() >= kRunningJobsMax) {
    return refuse(
        Error(Reason::kTooLarge,
              absl::StrCat("run ", submit.spec.operation, ": ", kRunningJobsMax,
                           " jobs run already; wait for some")));
  }
  JobOrder order;
  order.operation = std::move(submit.spec.operation);
  order.arguments = std::move(submit.spec.arguments);
  order.max_workers = submit.spec.max_workers;
  order.replay = std::move(submit.spec.replay);
  auto matrix = Resolve(submit.spec.matrix);
  if (!matrix.ok()) return refuse(matrix.status());
  order.matrix = *std::move(matrix);
  for (const auto& [name, ref] : submit.spec.parameters) {
    auto parameter = Resolve(ref);
    if (!parameter.ok()) return refuse(parameter.status());
    order.parameters[name] = *std::move(parameter);
  }
  catalog_.Use(order.matrix);
  for (const auto& [name, parameter] : order.parameters) {
    catalog_.Use(parameter);
  }

  const JobId job{next_job_++};
  JobRecord record;
  record.id = job;
  record.client_key = submit.client_key;
  record.order = std::make_shared<const JobOrder>(std::move(order));
  record.submitted_at = now_;
  auto live = std::make_unique<Live>(
      Live{.core = JobCore(std::move(record), options_, tokens_),
           .last_update = now_,
           .failing = {}});
  scheduler_.AddJob(job, &live->core);
  live_[job] = std::move(live);
  if (!submit.client_key.empty()) by_client_key_[submit.client_key] = job;
  Say(Answer{submit.call, absl::OkStatus(), job});
  NoteChange(job);
}

void CoordinatorCore::Impl::On(CancelJob& cancel) {
  if (live_.contains(cancel.job)) {
    End(cancel.job, JobState::kCancelled,
        Error(Reason::kJobCancelled,
              absl::StrCat("job ", ToString(cancel.job),
                           " was cancelled; run it again if that was not "
                           "you")));
  } else if (ended_.Find(cancel.job) == nullptr) {
    Say(Answer{cancel.call, UnknownJob("cancel", cancel.job), {}});
    return;
  }
  Say(Answer{cancel.call, absl::OkStatus(), cancel.job});
}

void CoordinatorCore::Impl::On(ForgetJob& forget) {
  const auto live = live_.find(forget.job);
  if (live != live_.end()) {
    live->second->forget = true;
  } else if (const auto record = ended_.Remove(forget.job)) {
    Evict(*record);
  }
}

void CoordinatorCore::Impl::On(SealMatrix& seal) {
  absl::Status status = catalog_.Seal(seal.name);
  if (status.ok()) Say(KeepMatrix{*catalog_.Get(seal.name)});
  Say(Answer{seal.call, std::move(status), {}});
}
void CoordinatorCore::Impl::On(RemoveMatrix& remove) {
  absl::Status status = catalog_.Remove(remove.name);
  if (status.ok()) Say(ForgetMatrix{remove.name});
  Say(Answer{remove.call, std::move(status), {}});
}

}  // namespace hearth::server
