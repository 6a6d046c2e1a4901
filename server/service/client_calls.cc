// The calls of clients: each fills its reply under the lock and ends at once,
// but WaitReady, Watch and ListWorkers, which wait, and PutMatrix and
// DrainWorker, which may.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/crash_point.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/control/codec.h"
#include "server/service/coordinator_service.h"
#include "server/service/summary.h"
#include "server/service/wire.h"

namespace hearth::server {
namespace {

constexpr absl::Duration kMemoryAnswerTime = absl::Milliseconds(500);
constexpr int kReplicasMax = 1024;

absl::Status UnknownJob(absl::string_view attempt, absl::string_view id) {
  return Error(Reason::kJobUnknown,
               absl::StrCat(attempt, " job \"", id,
                            "\": no such job is known, or its record was let "
                            "go; see hearth jobs"));
}

// What a connection that broke looks like, too: clients ask again, and find who
// comes next.
grpc::Status Ending() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the coordinator ends");
}

// A unary call whose client may give up waiting for it.
//
// Kind:    resource; lives until gRPC is done with it: not before Finish was
//          called, nor before `on_cancelled` has returned.
// Threads: `on_cancelled` is called from one of gRPC's, perhaps after Finish.
class CancellableCall final : public grpc::ServerUnaryReactor {
 public:
  using OnCancelled = std::function<void(CancellableCall*)>;
  explicit CancellableCall(OnCancelled on_cancelled)
      : on_cancelled_(std::move(on_cancelled)) {}

 private:
  void OnCancel() override { on_cancelled_(this); }
  void OnDone() override { delete this; }

  const OnCancelled on_cancelled_;
};

}  // namespace

void CoordinatorService::End() {
  Errands errands;
  {
    MutexLock lock(mutex_);
    ended_ = true;
    EndWaitingCalls(errands);
  }
  Run(std::move(errands));
}

void CoordinatorService::EndWaitingCalls(Errands& errands) {
  std::vector<grpc::ServerUnaryReactor*> waiting;
  for (const ReadyWaiter& waiter : std::exchange(ready_waiters_, {})) {
    waiting.push_back(waiter.reactor);
  }
  for (const auto& [number, question] : std::exchange(questions_, {})) {
    waiting.push_back(question.reactor);
  }
  // The core may answer these yet: they stay, so that no other call takes such
  // an answer for its own.
  for (auto& [call, later] : later_) {
    if (later.reactor == nullptr) continue;
    waiting.push_back(std::exchange(later.reactor, nullptr));
  }
  for (grpc::ServerUnaryReactor* reactor : waiting) {
    errands.calls.push_back([reactor] { reactor->Finish(Ending()); });
  }
}

grpc::ServerUnaryReactor* CoordinatorService::Reply(
    grpc::CallbackServerContext* context,
    const std::function<absl::Status(Errands&)>& work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Errands errands;
  absl::Status status;
  {
    MutexLock lock(mutex_);
    status = work(errands);
  }
  Run(std::move(errands));
  reactor->Finish(ToGrpc(status));
  return reactor;
}

grpc::ServerUnaryReactor* CoordinatorService::ReplyLater(
    grpc::CallbackServerContext* context,
    const std::function<absl::StatusOr<Event>(CallId)>& ask,
    std::function<absl::Status(const Answer&)> fill,
    std::function<void(CallId, bool, Errands&)> settle) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Errands errands;
  {
    MutexLock lock(mutex_);
    const CallId call = next_call_++;
    auto event = ask(call);
    if (event.ok()) {
      later_[call] = {reactor, std::move(fill), std::move(settle)};
      Ask(*std::move(event), errands);
      if (ended_) EndWaitingCalls(errands);
    } else {
      errands.calls.push_back([reactor, status = event.status()] {
        reactor->Finish(ToGrpc(status));
      });
    }
  }
  Run(std::move(errands));
  return reactor;
}

grpc::ServerUnaryReactor* CoordinatorService::WaitReady(
    grpc::CallbackServerContext*, const proto::WaitReadyRequest* request,
    proto::ClusterInfo* reply) {
  auto* const call = new CancellableCall([this](CancellableCall* cancelled) {
    {
      MutexLock lock(mutex_);
      const auto is_it = [cancelled](const ReadyWaiter& waiter) {
        return waiter.reactor == cancelled;
      };
      // Whoever took it out of there finishes it.
      if (std::erase_if(ready_waiters_, is_it) == 0) return;
    }
    cancelled->Finish(grpc::Status::CANCELLED);
  });
  Errands errands;
  {
    MutexLock lock(mutex_);
    ready_waiters_.push_back({request->workers(), reply, call});
    AnswerReadyWaiters(errands);
    if (ended_) EndWaitingCalls(errands);
  }
  Run(std::move(errands));
  return call;
}

grpc::ServerUnaryReactor* CoordinatorService::PutMatrix(
    grpc::CallbackServerContext* context,
    const proto::PutMatrixRequest* request, proto::MatrixInfo* reply) {
  CrashPoint("coordinator.register");
  return ReplyLater(
      context,
      [&](CallId call) -> absl::StatusOr<Event> {
        mutex_.AssertHeld();
        HEARTH_ASSIGN_OR_RETURN(MatrixRecord record,
                                FromWire(request->record()));
        OriginPtr origin;
        if (request->has_origin()) {
          HEARTH_ASSIGN_OR_RETURN(origin,
                                  FromWire(request->origin(), record.layout));
        }
        // Made by the cluster, or by whoever puts it: one of the two.
        if (std::holds_alternative<Unmade>(record.source) !=
            (origin != nullptr)) {
          return Error(Reason::kBadUsage,
                       "put a matrix: it has no bytes yet, or too many");
        }
        return server::PutMatrix{
            call,
            std::move(record),
            request->replace(),
            std::clamp(request->replicas(), 1, kReplicasMax),
            std::move(origin),
            journaling_.is_on()};
      },
      [this, reply, name = request->record().name()](const Answer&) {
        mutex_.AssertHeld();
        const auto matrix = core_.catalog().Get(name);
        if (matrix.ok()) *reply = InfoOf(**matrix, core_);
        return matrix.status();
      },
      // Not there unless it is in the journal, too.
      [this, name = request->record().name()](CallId call, bool is_written,
                                              Errands& errands) {
        mutex_.AssertHeld();
        Ask(PutWritten{call, name, is_written}, errands);
      });
}

grpc::ServerUnaryReactor* CoordinatorService::GetMatrix(
    grpc::CallbackServerContext* context, const proto::MatrixName* request,
    proto::MatrixInfo* reply) {
  return Reply(context, [&](Errands&) -> absl::Status {
    mutex_.AssertHeld();
    HEARTH_ASSIGN_OR_RETURN(const MatrixPtr matrix,
                            core_.catalog().Get(request->name()));
    *reply = InfoOf(*matrix, core_);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::ListMatrices(
    grpc::CallbackServerContext* context, const proto::ListMatricesRequest*,
    proto::MatrixList* reply) {
  return Reply(context, [&](Errands&) -> absl::Status {
    mutex_.AssertHeld();
    for (const MatrixPtr& matrix : core_.catalog().List()) {
      *reply->add_matrices() = InfoOf(*matrix, core_);
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::RemoveMatrix(
    grpc::CallbackServerContext* context, const proto::MatrixName* request,
    proto::MatrixName* reply) {
  return Reply(context, [&](Errands& errands) -> absl::Status {
    mutex_.AssertHeld();
    const auto answer =
        Ask(server::RemoveMatrix{next_call_++, request->name()}, errands);
    reply->set_name(request->name());
    return answer.has_value() ? answer->status : absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::Submit(
    grpc::CallbackServerContext* context, const proto::SubmitRequest* request,
    proto::JobId* reply) {
  return Reply(context, [&](Errands& errands) -> absl::Status {
    mutex_.AssertHeld();
    CrashPoint("coordinator.submit");
    HEARTH_ASSIGN_OR_RETURN(JobSpec spec, FromWire(*request));
    const auto answer =
        Ask(SubmitJob{next_call_++, request->client_key(), std::move(spec)},
            errands);
    if (!answer.has_value()) {
      return Error(Reason::kInternal, "submit a job: the core gave no answer");
    }
    HEARTH_RETURN_IF_ERROR(answer->status);
    reply->set_job(ToString(answer->job));
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<proto::JobUpdate>* CoordinatorService::Watch(
    grpc::CallbackServerContext*, const proto::JobId* request) {
  auto watch = JobWatch::Open([this](JobWatch* gone) {
    MutexLock lock(mutex_);
    std::erase_if(watches_, [gone](const auto& entry) {
      return entry.second.get() == gone;
    });
  });
  Errands errands;
  bool known = false;
  {
    MutexLock lock(mutex_);
    const auto job = ParseJobId(request->job());
    known = job.has_value() && core_.FindJob(*job).has_value();
    if (known) {
      watches_.emplace(*job, watch);
      ShowJob(*job, errands);
    }
  }
  if (!known) watch->Refuse(ToGrpc(UnknownJob("watch", request->job())));
  Run(std::move(errands));
  return watch.get();
}

void CoordinatorService::ShowJob(JobId job, Errands& errands) {
  const auto [begin, end] = watches_.equal_range(job);
  if (begin == end) return;
  const auto record = core_.FindJob(job);
  if (!record.has_value()) {
    // It ended, and was let go in the same breath.
    const grpc::Status gone = ToGrpc(UnknownJob("watch", ToString(job)));
    for (auto it = begin; it != end; ++it) {
      errands.calls.push_back(
          [watch = it->second, gone] { watch->Refuse(gone); });
    }
    return;
  }
  const bool last = HasEnded(record->state);
  const proto::JobUpdate update =
      UpdateOf(*record, core_.members(), clock_.Now());
  for (auto it = begin; it != end; ++it) {
    errands.calls.push_back(
        [watch = it->second, update, last] { watch->Show(update, last); });
  }
}

grpc::ServerUnaryReactor* CoordinatorService::CancelJob(
    grpc::CallbackServerContext* context, const proto::JobId* request,
    proto::JobSummary* reply) {
  return Reply(context, [&](Errands& errands) -> absl::Status {
    mutex_.AssertHeld();
    const auto job = ParseJobId(request->job());
    if (!job.has_value()) return UnknownJob("cancel", request->job());
    const auto answer = Ask(server::CancelJob{next_call_++, *job}, errands);
    if (answer.has_value()) HEARTH_RETURN_IF_ERROR(answer->status);
    const auto record = core_.FindJob(*job);
    if (!record.has_value()) return UnknownJob("cancel", request->job());
    *reply = SummaryOf(*record);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::ForgetJob(
    grpc::CallbackServerContext* context, const proto::JobId* request,
    proto::JobId* reply) {
  return Reply(context, [&](Errands& errands) -> absl::Status {
    mutex_.AssertHeld();
    const auto job = ParseJobId(request->job());
    if (job.has_value()) Ask(server::ForgetJob{*job}, errands);
    *reply = *request;
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::ListJobs(
    grpc::CallbackServerContext* context, const proto::ListJobsRequest*,
    proto::JobList* reply) {
  return Reply(context, [&](Errands&) -> absl::Status {
    mutex_.AssertHeld();
    for (const JobRecord& record : core_.ListJobs()) {
      *reply->add_jobs() = SummaryOf(record);
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::Measured(
    grpc::CallbackServerContext* context, const proto::MeasuredRequest* request,
    proto::Rates* reply) {
  return Reply(context, [&](Errands&) -> absl::Status {
    mutex_.AssertHeld();
    HEARTH_ASSIGN_OR_RETURN(const MatrixLayout layout,
                            FromProto(request->layout()));
    const auto rate = core_.ThreadBytesPerSecond(
        request->operation(), Opaque(request->arguments()), layout);
    reply->set_thread_bytes_per_second(rate.value_or(0));
    for (const std::string& host : core_.members().ReadyHosts()) {
      const auto stream = core_.StreamBytesPerSecond(host);
      if (stream.has_value()) {
        (*reply->mutable_stream_bytes_per_second())[host] = *stream;
      }
    }
    for (const auto& [host, bytes] : core_.LandedBytes(request->matrix())) {
      (*reply->mutable_landed_bytes())[host] = bytes;
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::ListWorkers(
    grpc::CallbackServerContext* context,
    const proto::ListWorkersRequest* request, proto::WorkerList* reply) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Errands errands;
  {
    MutexLock lock(mutex_);
    const std::uint64_t number = next_call_++;
    MemoryQuestion& question = questions_[number];
    question.deadline = clock_.Now() + kMemoryAnswerTime;
    question.reply = reply;
    question.reactor = reactor;
    if (request->memory()) {
      for (const auto& [worker, session] : sessions_) {
        question.unanswered.insert(NumberOf(worker));
      }
      for (const std::uint64_t worker : question.unanswered) {
        proto::ToWorker message;
        message.mutable_ask_memory()->set_question(number);
        SendTo(WorkerId{worker}, std::move(message), errands);
      }
    }
    AnswerMemoryQuestions(clock_.Now(), errands);
    if (ended_) EndWaitingCalls(errands);
  }
  Run(std::move(errands));
  return reactor;
}

grpc::ServerUnaryReactor* CoordinatorService::DrainWorker(
    grpc::CallbackServerContext* context, const proto::DrainRequest* request,
    proto::DrainReply* reply) {
  return ReplyLater(
      context,
      [&](CallId call) -> absl::StatusOr<Event> {
        const auto worker = ParseWorkerId(request->worker());
        if (!worker.has_value()) {
          return Error(Reason::kNameUnknown,
                       absl::StrCat("drain \"", request->worker(),
                                    "\": no such worker; \"hearth workers\" "
                                    "lists those there are"));
        }
        return server::DrainWorker{call, *worker};
      },
      [reply, worker = request->worker()](const Answer& answer) {
        reply->set_worker(worker);
        reply->set_bytes_moved(answer.bytes_moved);
        return absl::OkStatus();
      });
}

}  // namespace hearth::server
