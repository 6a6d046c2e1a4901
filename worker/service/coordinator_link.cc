#include "worker/service/coordinator_link.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <condition_variable>
#include <mutex>
#include <utility>

#include "hearth/base/status.h"
#include "hearth/transport/control/channel.h"
#include "hearth/transport/control/codec.h"
#include "hearth/transport/control/outbox.h"
#include "hearth/transport/security/identity.h"
#include "protos/coordinator.grpc.pb.h"

namespace hearth::worker {

class CoordinatorLink::Stream
    : public grpc::ClientBidiReactor<proto::FromWorker, proto::ToWorker> {
 public:
  Stream(std::shared_ptr<grpc::Channel> channel, Callbacks callbacks)
      : channel_(std::move(channel)),
        stub_(proto::Coordinator::NewStub(channel_)),
        callbacks_(std::move(callbacks)),
        outbox_(*this) {}

  void Start() {
    stub_->async()->WorkerSession(&context_, this);
    // Writes may begin on other threads after reads have all ended: the hold
    // keeps OnDone away until Stop.
    AddHold();
    StartRead(&incoming_);
    StartCall();
  }

  void Send(proto::FromWorker message) {
    outbox_.Add(std::move(message));
    outbox_.Pump();
  }

  void Stop() {
    outbox_.Close();
    context_.TryCancel();
    RemoveHold();
    std::unique_lock lock(mutex_);
    done_changed_.wait(lock, [this] { return done_; });
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      outbox_.Close();
      callbacks_.on_broken(absl::UnavailableError("the stream broke"));
      return;
    }
    callbacks_.on_message(incoming_);
    incoming_.Clear();
    StartRead(&incoming_);
  }
  void OnWriteDone(bool ok) override { outbox_.Written(ok); }
  void OnDone(const grpc::Status&) override {
    std::scoped_lock lock(mutex_);
    done_ = true;
    done_changed_.notify_all();
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<proto::Coordinator::Stub> stub_;
  grpc::ClientContext context_;
  const Callbacks callbacks_;
  proto::ToWorker incoming_;
  StreamOutbox<Stream, proto::FromWorker> outbox_;
  std::mutex mutex_;
  std::condition_variable done_changed_;
  bool done_ = false;
};

CoordinatorLink::CoordinatorLink() = default;

absl::StatusOr<std::unique_ptr<CoordinatorLink>> CoordinatorLink::Open(
    const Address& address, const TcpSecurityOptions& security,
    const proto::Hello& hello, Callbacks callbacks) {
  ChannelOptions options;
  if (!address.local()) {
    // Read anew for each connection, so that a renewed certificate is used.
    HEARTH_ASSIGN_OR_RETURN(const TcpSecurity tcp, TcpSecurity::Open(security));
    options.tcp = {.credentials = tcp.ForChannel(),
                   .server_name = kClusterName,
                   .explain = [=] { return tcp.Explain(address); }};
  }
  HEARTH_ASSIGN_OR_RETURN(auto channel, ConnectChannel(address, options));
  std::unique_ptr<CoordinatorLink> link(new CoordinatorLink);
  link->stream_ =
      std::make_shared<Stream>(std::move(channel), std::move(callbacks));
  link->stream_->Start();
  proto::FromWorker message;
  *message.mutable_hello() = hello;
  link->Send(std::move(message));
  return link;
}

CoordinatorLink::~CoordinatorLink() {
  if (stream_ != nullptr) stream_->Stop();
}

void CoordinatorLink::Send(proto::FromWorker message) {
  stream_->Send(std::move(message));
}

}  // namespace hearth::worker
