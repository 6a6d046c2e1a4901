#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/base/address.h"
#include "hearth/transport/security/tcp_security.h"
#include "protos/worker.pb.h"

namespace hearth::worker {

// A worker's stream to its coordinator.
//
// Kind:    resource; its destructor ends the stream and waits for it.
// Threads: Send from any, in the order of the calls. The callbacks run on
//          gRPC's threads, one at a time.
class CoordinatorLink {
 public:
  struct Callbacks {
    std::function<void(const proto::ToWorker&)> on_message;
    // The stream is over; the last callback.
    std::function<void(const absl::Status&)> on_broken;
  };

  // Connects and says Hello.
  static absl::StatusOr<std::unique_ptr<CoordinatorLink>> Open(
      const Address& address, const TcpSecurityOptions& security,
      const proto::Hello& hello, Callbacks callbacks);
  ~CoordinatorLink();

  void Send(proto::FromWorker message);

 private:
  class Stream;
  CoordinatorLink();
  std::shared_ptr<Stream> stream_;
};

}  // namespace hearth::worker
