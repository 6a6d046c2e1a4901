#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "hearth/base/unique_fd.h"
#include "hearth/transport/call/object_host.h"

namespace grpc {
class Channel;
}

namespace hearth {

struct ObjectListenerOptions {
  UniqueFd local;   // a Unix socket that listens already; or none
  std::string tcp;  // host:port, in addition; port 0 takes a free one
  std::shared_ptr<grpc::ServerCredentials> credentials;  // for TCP
  // Those are none: callers over TCP may leave gRPC out, too.
  bool is_tcp_plain = false;
};

// Serves a host's objects to other processes (protos/object.proto), with gRPC's
// health service and reflection beside them.
//
// Callers that are Hearth need no gRPC (socket_sessions.h): over the Unix
// socket, and over TCP where there is no TLS. The same door is for both.
//
// Its threads wait for messages, and run methods: when all but one run
// methods, another one is started, up to a bound; then methods go to the host's
// crew, so that messages are always read.
//
// Kind:    resource. Its destructor breaks every connection.
// Fails:   as Listener::Start.
class ObjectListener {
 public:
  static absl::StatusOr<std::unique_ptr<ObjectListener>> Start(
      ObjectListenerOptions options, ObjectHost& host);
  ~ObjectListener();

  // Hangs up on everybody, and lets nobody in any more.
  void Refuse();
  const std::string& tcp_address() const;
  // A channel that leaves neither this process nor gRPC.
  std::shared_ptr<grpc::Channel> InProcessChannel();

 private:
  class Impl;
  explicit ObjectListener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
