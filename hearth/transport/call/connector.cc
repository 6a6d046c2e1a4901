#include "hearth/transport/call/connector.h"

#include "hearth/base/address.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
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

}  // namespace hearth
