#include "hearth/transport/bulk/bulk_channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <utility>

namespace hearth {
namespace {

// What one read of the socket takes at most: fewer, fuller slices.
constexpr int kReadBytesMax = 256 * 1024;
constexpr int kKeepaliveMs = 2000;
constexpr int kKeepaliveTimeoutMs = 3000;
constexpr int kReconnectMsMax = 1000;

}  // namespace

std::shared_ptr<grpc::Channel> ConnectBulk(
    const std::string& address,
    std::shared_ptr<grpc::ChannelCredentials> credentials,
    const std::string& server_name) {
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(server_name);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A pool shared with other channels would share their one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt("grpc.experimental.tcp_max_read_chunk_size", kReadBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMsMax);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  return grpc::CreateCustomChannel(address, std::move(credentials), arguments);
}

}  // namespace hearth
