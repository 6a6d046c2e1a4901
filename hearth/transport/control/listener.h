#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "hearth/base/limits.h"
#include "hearth/base/unique_fd.h"

namespace hearth {

struct ListenerOptions {
  // A Unix socket that listens already; or none.
  UniqueFd local;
  // host:port, in addition; port 0 takes a free one. Empty: none.
  std::string tcp;
  // For TCP alone; none: it is refused.
  std::shared_ptr<grpc::ServerCredentials> credentials;
  int message_bytes_max = limits::kMessageBytesMax;
  // Adds what else the server has: further services, completion queues.
  std::function<void(grpc::ServerBuilder&)> prepare;
  // Takes connections that begin with this byte, which none of gRPC's does, in
  // its place: those of the Unix socket, and of TCP where `is_tcp_plain`.
  char plain_byte = 0;
  std::function<void(UniqueFd connection, bool is_local)> plain;
  bool is_tcp_plain = false;  // without TLS
  // Answers gRPC's health checks, and tells any gRPC client what can be called.
  bool is_discoverable = false;
};

// A gRPC server. On a Unix socket it has checked who connects: gRPC's own
// listener checks no peer, so this one accepts, compares the peer's user with
// ours, and only then hands the connected socket over. On TCP, the credentials
// do that; but gRPC's listener ends for good at the first connection for which
// it finds no descriptor, so there, too, this one accepts.
//
// Kind:    resource. Destroying it stops accepting, ends every call and waits
//          for them.
// Threads: one of its own, which accepts.
class Listener {
 public:
  // `service` outlives this.
  //
  // Fails: name-taken when the TCP address is in use, bad-usage when it is not
  //        this host's; not-allowed for TCP without credentials.
  static absl::StatusOr<std::unique_ptr<Listener>> Start(
      ListenerOptions options, grpc::Service& service);

  ~Listener();
  // Of TCP, with its port; empty where there is none.
  const std::string& tcp_address() const { return tcp_address_; }
  // Accepts nothing more, and ends every call; completion queues go on.
  void Shutdown();
  std::shared_ptr<grpc::Channel> InProcessChannel() {
    return server_->InProcessChannel({});
  }

 private:
  Listener() = default;
  struct Door;
  void Accept();
  void Admit(Door& door, UniqueFd connection);
  void Sort();

  // A socket that listens, and gRPC's end for what it accepts; or neither.
  struct Door {
    void Admit(UniqueFd connection);

    UniqueFd socket;
    std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
    bool is_sorted = false;  // by the first byte of what comes
  };
  // Accepted, and has not said its first byte yet.
  struct Newcomer {
    UniqueFd connection;
    Door* door = nullptr;
    std::chrono::steady_clock::time_point until;
  };
  Door local_;
  Door tcp_;
  UniqueFd wake_;  // an eventfd: written once, to stop
  char plain_byte_ = 0;
  std::function<void(UniqueFd, bool)> plain_;
  std::vector<Newcomer> newcomers_;  // the accepting thread's
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
  std::string tcp_address_;
};

}  // namespace hearth
