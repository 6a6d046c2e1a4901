#include "server/service/worker_session.h"

namespace hearth::server {

std::shared_ptr<WorkerSession> WorkerSession::Open(SessionOwner& owner) {
  std::shared_ptr<WorkerSession> session(new WorkerSession(owner));
  session->self_ = session;
  session->StartRead(&session->incoming_);
  return session;
}

void WorkerSession::End() {
  if (outbox_.CloseWhenWritten()) FinishOnce();
}

void WorkerSession::OnReadDone(bool ok) {
  if (!ok) {
    owner_.OnBroken(*this);
    if (outbox_.Close()) FinishOnce();
    return;
  }
  owner_.OnMessage(*this, incoming_);
  incoming_.Clear();
  StartRead(&incoming_);
}

void WorkerSession::OnWriteDone(bool ok) {
  if (outbox_.Written(ok)) FinishOnce();
}

void WorkerSession::FinishOnce() {
  if (!finished_.exchange(true)) Finish(grpc::Status::OK);
}

void WorkerSession::OnDone() { self_.reset(); }

}  // namespace hearth::server
