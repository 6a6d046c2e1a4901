#include "hearth/transport/call/connector.h"

#include "hearth/base/address.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/base/tcp_socket.h"
#include "hearth/base/unix_socket.h"
#include "hearth/transport/control/channel.h"
#include "hearth/transport/security/identity.h"

namespace hearth {

ConnectFunction ConnectorFor(const TcpSecurityOptions& security) {
  return [security](const std::string& text, absl::Duration within)
             -> absl::StatusOr<std::shared_ptr<grpc::Channel>> {
    HEARTH_ASSIGN_OR_RETURN(const Address address, Address::Parse(text));
    ChannelOptions options{
        .deadline = within,
        .message_bytes_max = static_cast<int>(limits::kCallBytesMax),
        .once = true};
    if (!address.local()) {
      HEARTH_ASSIGN_OR_RETURN(const TcpSecurity tcp,
                              TcpSecurity::Open(security));
      options.tcp = {
          .credentials = tcp.ForChannel(),
          .server_name = kClusterName,
          .explain = [tcp, address] { return tcp.Explain(address); }};
    }
    return ConnectChannel(address, options);
  };
}

std::function<absl::StatusOr<PlainSocket>(const std::string&, absl::Duration)>
PlainConnectorFor(const TcpSecurityOptions& security) {
  return [is_insecure = security.insecure](
             const std::string& text,
             absl::Duration within) -> absl::StatusOr<PlainSocket> {
    HEARTH_ASSIGN_OR_RETURN(const Address address, Address::Parse(text));
    if (!address.local() && !is_insecure) return PlainSocket{};
    HEARTH_ASSIGN_OR_RETURN(
        UniqueFd fd, address.local()
                         ? ConnectUnix(address, SocketType::kStream, within)
                         : ConnectTcp(address, within));
    return PlainSocket{std::move(fd), address.local()};
  };
}

}  // namespace hearth
