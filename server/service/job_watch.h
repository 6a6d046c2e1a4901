#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>

#include "hearth/base/mutex.h"
#include "protos/coordinator.pb.h"

namespace hearth::server {

// A client that watches one job: it gets the newest update each time it has
// taken the last one, and the stream ends with the outcome.
//
// Kind:    resource; lives until gRPC is done with it.
// Threads: Show and Refuse from any.
class JobWatch : public grpc::ServerWriteReactor<proto::JobUpdate> {
 public:
  using OnGone = std::function<void(JobWatch*)>;
  static std::shared_ptr<JobWatch> Open(OnGone on_gone);

  // Replaces an update that was not sent yet. `last`: the stream ends with it.
  void Show(proto::JobUpdate update, bool last);
  // Ends the stream with this, unless it has its last update.
  void Refuse(const grpc::Status& status);

 private:
  explicit JobWatch(OnGone on_gone) : on_gone_(std::move(on_gone)) {}
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void Advance();

  const OnGone on_gone_;
  Mutex mutex_;
  proto::JobUpdate sending_;
  proto::JobUpdate next_ ABSL_GUARDED_BY(mutex_);
  bool has_next_ ABSL_GUARDED_BY(mutex_) = false;
  bool last_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<JobWatch> self_;
};

}  // namespace hearth::server
