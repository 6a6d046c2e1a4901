#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hearth {

struct ChannelOptions {
  bool insecure = false;  // allow TCP without credentials
  absl::Duration deadline = absl::Seconds(5);
};

// Connects to `address` ("unix-abstract:NAME", "unix:PATH", "host:port").
//
// On a Unix socket the peer's user is checked before a byte is sent, and the
// channel can't reconnect by itself: ask for a new one. TCP is refused unless
// `insecure`. CLUSTER_UNREACHABLE when nobody listens there.
absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectChannel(
    absl::string_view address, const ChannelOptions& options);

}  // namespace hearth
