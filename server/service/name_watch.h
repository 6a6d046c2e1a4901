#pragma once

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "hearth/transport/control/outbox.h"
#include "protos/directory.pb.h"

namespace hearth::server {

// A client that watches names: it gets every change, in order.
//
// Kind:    resource; lives until gRPC is done with it.
// Threads: Add and Pump from any.
class NameWatch : public grpc::ServerWriteReactor<proto::NameChange> {
 public:
  using OnGone = std::function<void(NameWatch*)>;
  static std::shared_ptr<NameWatch> Open(OnGone on_gone) {
    std::shared_ptr<NameWatch> watch(new NameWatch(std::move(on_gone)));
    watch->self_ = watch;
    return watch;
  }

  void Add(proto::NameChange change) { outbox_.Add(std::move(change)); }
  void Pump() { outbox_.Pump(); }

 private:
  explicit NameWatch(OnGone on_gone)
      : on_gone_(std::move(on_gone)), outbox_(*this) {}
  void OnWriteDone(bool ok) override {
    if (outbox_.Written(ok)) End();
  }
  void OnCancel() override {
    if (outbox_.Close()) End();
  }
  void OnDone() override {
    on_gone_(this);
    self_.reset();
  }
  void End() {
    if (!ended_.exchange(true)) Finish(grpc::Status::OK);
  }

  const OnGone on_gone_;
  StreamOutbox<NameWatch, proto::NameChange> outbox_;
  std::atomic<bool> ended_ = false;
  std::shared_ptr<NameWatch> self_;
  friend class StreamOutbox<NameWatch, proto::NameChange>;
};

}  // namespace hearth::server
