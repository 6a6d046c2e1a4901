// What a host keeps of a running call, and of a stream of items that it makes:
// insides of ObjectHost.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "hearth/transport/call/object_host.h"

namespace hearth {

struct ObjectHost::Job {
  CallNumber number = 0;
  std::uint64_t id = 0;  // the caller's
  std::weak_ptr<Conversation> from;
  std::function<void(proto::MethodReply)> answer;  // instead of `from`
  Id session;
  proto::MethodCall call;
  Attached attached = nullptr;  // to the call
  std::shared_ptr<const Class> of;
  std::shared_ptr<Box> box;
  absl::Time deadline = absl::InfiniteFuture();       // the host's clock's
  absl::Time wall_deadline = absl::InfiniteFuture();  // what methods are told
  std::optional<OnceId> once;
  Cancellation cancellation;
  bool answered = false;  // under the host's lock
};

struct ObjectHost::ItemJob {
  explicit ItemJob(std::int64_t bytes_max) : window(bytes_max) {}
  std::uint64_t id = 0;
  Id session;
  std::shared_ptr<ItemSource> source;
  // How many the thread that makes items makes before it sends them: more as
  // long as they are quick.
  int batch = 1;
  // Made and not in the window yet. The next one may take hours, so a tick
  // sends what is here, too: one at a time, in order.
  std::mutex making;
  std::vector<Value> made;
  std::mutex sending;  // before all other locks
  // Under the host's lock:
  std::weak_ptr<Conversation> to;
  ItemWindow window;
  bool producing = false;
  std::atomic<bool> dropped = false;
};

// Where handles lead to that a method reads: through its caller's connection
// if they name no address.
class SessionSurroundings final : public Surroundings {
 public:
  SessionSurroundings(const ObjectHost::Bind& bind, Surroundings* expose,
                      const Id& session)
      : bind_(bind), expose_(expose), session_(session) {}
  std::shared_ptr<Target> Bind(const ObjectHandle& handle) override {
    return bind_(handle, session_);
  }
  absl::StatusOr<ObjectHandle> Expose(Instance instance) override {
    return expose_->Expose(std::move(instance));
  }
  absl::StatusOr<std::shared_ptr<MatrixSource>> OpenMatrix(
      const MatrixHandle& handle) override {
    return expose_->OpenMatrix(handle);
  }

 private:
  const ObjectHost::Bind& bind_;
  Surroundings* const expose_;
  const Id session_;
};

}  // namespace hearth
