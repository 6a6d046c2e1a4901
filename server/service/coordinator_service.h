#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/mutex.h"
#include "protos/coordinator.grpc.pb.h"
#include "server/core/coordinator_core.h"
#include "server/service/event_log.h"
#include "server/service/job_watch.h"
#include "server/service/journaling.h"
#include "server/service/worker_session.h"

namespace hearth::server {

// CoordinatorCore on the wire: translates, locks, asks the core, and carries
// out what it decided. Nothing is decided here.
//
// Kind:    resource; outlives the gRPC server that serves it.
// Threads: gRPC's call in from many; Tick from one of the owner's.
class CoordinatorService final : public proto::Coordinator::CallbackService,
                                 private SessionOwner {
 public:
  CoordinatorService(CoordinatorOptions options, const Clock& clock);

  // Goes on where the rows say that an earlier coordinator was, and keeps what
  // comes in the journal. Before anybody is served.
  absl::Status Resume(std::unique_ptr<Journal> journal,
                      const std::vector<Journal::Row>& rows);
  // Where it is served, for the next one.
  void NotePort(std::uint16_t port);

  // Lets time pass: leases, waits, questions that nobody answered. About 20
  // times a second.
  void Tick();

  // Before its server ends, which waits for every call: those that wait are
  // told to ask again, and so is who would wait from now on.
  void End();

  void TellStory(const std::string& host, std::int64_t pid,
                 const std::string& story);

  grpc::ServerBidiReactor<proto::FromWorker, proto::ToWorker>* WorkerSession(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* WaitReady(grpc::CallbackServerContext* context,
                                      const proto::WaitReadyRequest* request,
                                      proto::ClusterInfo* reply) override;
  grpc::ServerUnaryReactor* PutMatrix(grpc::CallbackServerContext* context,
                                      const proto::PutMatrixRequest* request,
                                      proto::MatrixInfo* reply) override;
  grpc::ServerUnaryReactor* GetMatrix(grpc::CallbackServerContext* context,
                                      const proto::MatrixName* request,
                                      proto::MatrixInfo* reply) override;
  grpc::ServerUnaryReactor* ListMatrices(
      grpc::CallbackServerContext* context,
      const proto::ListMatricesRequest* request,
      proto::MatrixList* reply) override;
  grpc::ServerUnaryReactor* RemoveMatrix(grpc::CallbackServerContext* context,
                                         const proto::MatrixName* request,
                                         proto::MatrixName* reply) override;
  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context,
                                   const proto::SubmitRequest* request,
                                   proto::JobId* reply) override;
  grpc::ServerWriteReactor<proto::JobUpdate>* Watch(
      grpc::CallbackServerContext* context,
      const proto::JobId* request) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const proto::JobId* request,
                                      proto::JobSummary* reply) override;
  grpc::ServerUnaryReactor* ForgetJob(grpc::CallbackServerContext* context,
                                      const proto::JobId* request,
                                      proto::JobId* reply) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const proto::ListJobsRequest* request,
                                     proto::JobList* reply) override;
  grpc::ServerUnaryReactor* ListWorkers(
      grpc::CallbackServerContext* context,
      const proto::ListWorkersRequest* request,
      proto::WorkerList* reply) override;
  grpc::ServerUnaryReactor* Measured(grpc::CallbackServerContext* context,
                                     const proto::MeasuredRequest* request,
                                     proto::Rates* reply) override;
  grpc::ServerUnaryReactor* DrainWorker(grpc::CallbackServerContext* context,
                                        const proto::DrainRequest* request,
                                        proto::DrainReply* reply) override;

 private:
  // What is left to do once the lock is released.
  struct Errands {
    std::vector<std::shared_ptr<server::WorkerSession>> pump;
    std::vector<std::shared_ptr<server::WorkerSession>> end;
    std::vector<std::function<void()>> calls;
  };
  struct ReadyWaiter {
    int workers = 0;
    proto::ClusterInfo* reply = nullptr;
    grpc::ServerUnaryReactor* reactor = nullptr;
  };
  struct MemoryQuestion {
    std::set<std::uint64_t> unanswered;
    std::map<std::uint64_t, proto::Memory> answers;
    absl::Time deadline;
    proto::WorkerList* reply = nullptr;
    grpc::ServerUnaryReactor* reactor = nullptr;
  };

  // SessionOwner:
  void OnMessage(server::WorkerSession& session,
                 const proto::FromWorker& message) override;
  void OnBroken(server::WorkerSession& session) override;

  // Asks the core, and turns its actions into messages and errands. The answer
  // to the event's call, if it has one, is returned.
  std::optional<Answer> Ask(Event event, Errands& errands)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Carry(Action& action, Errands& errands, std::optional<Answer>& answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WelcomeOne(const Welcome& welcome, Errands& errands)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendTo(WorkerId worker, proto::ToWorker message, Errands& errands)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The stream's last message.
  void EndWith(WorkerId worker, std::uint64_t epoch, proto::ToWorker last_words,
               Errands& errands) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Join(server::WorkerSession& session, const proto::Hello& hello,
            Errands& errands) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AnswerReadyWaiters(Errands& errands)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AnswerMemoryQuestions(absl::Time now, Errands& errands)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndWaitingCalls(Errands& errands) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ShowJob(JobId job, Errands& errands)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Run(Errands errands);

  // A unary call that ends at once: `work` fills the reply under the lock.
  grpc::ServerUnaryReactor* Reply(
      grpc::CallbackServerContext* context,
      const std::function<absl::Status(Errands&)>& work);

  // The same for a call that the core may answer in a later Handle. `fill`
  // makes the reply of an OK one, under the lock; `settle` hears before that
  // whether the journal has it.
  grpc::ServerUnaryReactor* ReplyLater(
      grpc::CallbackServerContext* context,
      const std::function<absl::StatusOr<Event>(CallId)>& ask,
      std::function<absl::Status(const Answer&)> fill,
      std::function<void(CallId, bool, Errands&)> settle = nullptr);
  Moment Now() const { return {clock_.Now(), WallTime()}; }

  const Clock& clock_;
  const Id id_ = Id::Random();
  Mutex mutex_;
  Journaling journaling_ ABSL_GUARDED_BY(mutex_){nullptr};
  EventLog log_ ABSL_GUARDED_BY(mutex_);
  CoordinatorCore core_ ABSL_GUARDED_BY(mutex_);
  std::map<WorkerId, std::shared_ptr<server::WorkerSession>> sessions_
      ABSL_GUARDED_BY(mutex_);
  std::multimap<JobId, std::shared_ptr<JobWatch>> watches_
      ABSL_GUARDED_BY(mutex_);
  std::vector<ReadyWaiter> ready_waiters_ ABSL_GUARDED_BY(mutex_);
  std::map<std::uint64_t, MemoryQuestion> questions_ ABSL_GUARDED_BY(mutex_);
  // Whose Hello is being handled.
  server::WorkerSession* joining_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::uint64_t next_call_ ABSL_GUARDED_BY(mutex_) = 1;
  // What to do with the answer to a call that takes its time. `fill` and
  // `settle` are called under the lock.
  struct Later {
    grpc::ServerUnaryReactor* reactor = nullptr;  // null: it was ended
    std::function<absl::Status(const Answer&)> fill;
    std::function<void(CallId, bool, Errands&)> settle;
  };
  std::map<CallId, Later> later_ ABSL_GUARDED_BY(mutex_);
  std::vector<Answer> answered_later_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hearth::server
