#include "hearth/transport/control/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/base/unix_socket.h"
#include "hearth/transport/control/grpc_life.h"

namespace hearth {
namespace {

// Between two attempts on one channel; gRPC doubles it each time.
constexpr int kFirstPauseMs = 200;
constexpr int kLongestPauseMs = 1000;

constexpr int kKeepaliveMs = 10'000;

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectChannel(
    const Address& address, const ChannelOptions& options) {
  KeepGrpcForLife();
  if (address.local()) {
    HEARTH_ASSIGN_OR_RETURN(
        UniqueFd fd,
        ConnectUnix(address, SocketType::kStream, options.deadline));
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(options.message_bytes_max);
    return grpc::CreateCustomInsecureChannelFromFd("hearth", fd.Release(),
                                                   arguments);
  }
  const std::string name = address.ToString();
  if (options.tcp.credentials == nullptr) {
    return Error(Reason::kNotAllowed,
                 absl::StrCat("connect to ", name,
                              " over TCP: this end has no credentials; name "
                              "them with --tls-dir, or say --insecure at both "
                              "ends to go without"));
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.message_bytes_max);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstPauseMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestPauseMs);
  // A host that is gone without a word, while a call waits, is noticed.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Nodes of a cluster reach each other directly, whatever browsers go through.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!options.tcp.server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tcp.server_name);
  }
  auto channel =
      grpc::CreateCustomChannel(name, options.tcp.credentials, arguments);
  const auto deadline = std::chrono::system_clock::now() +
                        absl::ToChronoMilliseconds(options.deadline);
  grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
  while (state != GRPC_CHANNEL_READY) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE && options.tcp.explain) {
      HEARTH_RETURN_IF_ERROR(options.tcp.explain());
    }
    const bool is_refused =
        state == GRPC_CHANNEL_TRANSIENT_FAILURE && options.once;
    if (is_refused || !channel->WaitForStateChange(state, deadline)) {
      return Error(
          Reason::kClusterUnreachable,
          absl::StrCat("connect to ", name, ": no coordinator answered in ",
                       absl::FormatDuration(options.deadline),
                       "; is it running, and is the address right?"));
    }
    state = channel->GetState(/*try_to_connect=*/true);
  }
  return channel;
}

}  // namespace hearth
