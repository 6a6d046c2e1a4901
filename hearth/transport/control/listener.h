#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "hearth/base/unique_fd.h"

namespace hearth {

// A gRPC server on a Unix socket that has checked who connects: gRPC's own
// listener checks no peer, so this one accepts, compares the peer's user with
// ours, and only then hands the connected socket over.
//
// Kind:    resource. Destroying it stops accepting, ends every call and waits
//          for them.
// Threads: one of its own, which accepts.
class Listener {
 public:
  // `socket` listens already. `service` outlives this.
  static absl::StatusOr<std::unique_ptr<Listener>> Start(
      UniqueFd socket, grpc::Service& service);
  // host:port, without credentials; port 0 takes a free one, see address().
  static absl::StatusOr<std::unique_ptr<Listener>> StartTcp(
      const std::string& address, grpc::Service& service);

  ~Listener();
  const std::string& address() const { return address_; }

 private:
  Listener() = default;
  void Accept();

  UniqueFd socket_;
  UniqueFd wake_;  // an eventfd: written once, to stop
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
  std::string address_;
};

}  // namespace hearth
