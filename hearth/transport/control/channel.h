#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/base/address.h"
#include "hearth/base/limits.h"

namespace hearth {

// What a TCP connection goes by. This room makes none of it: who connects has
// it from `hearth/transport/security`.
struct TcpChannelOptions {
  // None: TCP is refused.
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  std::string server_name;  // that the server's certificate must carry
  // Asked when a connection fails. OK: nothing wrong was found, go on trying.
  std::function<absl::Status()> explain;
};

struct ChannelOptions {
  TcpChannelOptions tcp;
  absl::Duration deadline = absl::Seconds(5);
  int message_bytes_max = limits::kMessageBytesMax;
  // Whoever is refused is told so at once; else it is tried again until the
  // deadline.
  bool once = false;
};

// Connects to `address`.
//
// On a Unix socket the peer's user is checked before a byte is sent, and the
// channel can't reconnect by itself: ask for a new one.
//
// Fails: cluster-unreachable when nobody listens there; over TCP, what
//        `explain` says.
absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectChannel(
    const Address& address, const ChannelOptions& options);

}  // namespace hearth
