#pragma once

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>

#include "hearth/transport/control/outbox.h"
#include "protos/worker.pb.h"

namespace hearth::server {

// What a session tells its owner. Called from gRPC's threads.
class SessionOwner {
 public:
  virtual ~SessionOwner() = default;
  virtual void OnMessage(class WorkerSession& session,
                         const proto::FromWorker& message) = 0;
  virtual void OnBroken(class WorkerSession& session) = 0;
};

// One worker's stream, as the coordinator sees it.
//
// Kind:    resource; lives until gRPC says that the stream is done, and as long
//          as somebody holds it.
// Threads: Send, Pump and End from any.
class WorkerSession
    : public grpc::ServerBidiReactor<proto::FromWorker, proto::ToWorker>,
      public std::enable_shared_from_this<WorkerSession> {
 public:
  static std::shared_ptr<WorkerSession> Open(SessionOwner& owner);

  // See StreamOutbox: Send keeps the order, Pump calls into gRPC.
  void Send(proto::ToWorker message) { outbox_.Add(std::move(message)); }
  void Pump() { outbox_.Pump(); }
  // Ends the stream once what was sent is written.
  void End();

  // Set by the owner once the worker was welcomed.
  std::atomic<std::uint64_t> worker{0};
  std::atomic<std::uint64_t> epoch{0};

 private:
  explicit WorkerSession(SessionOwner& owner) : owner_(owner), outbox_(*this) {}

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;
  void FinishOnce();

  SessionOwner& owner_;
  proto::FromWorker incoming_;
  StreamOutbox<WorkerSession, proto::ToWorker> outbox_;
  std::atomic<bool> finished_{false};
  std::shared_ptr<WorkerSession> self_;  // until OnDone
};

}  // namespace hearth::server
