#pragma once

#include "hearth/transport/call/directory_client.h"
#include "hearth/transport/call/socket_wire.h"
#include "hearth/transport/security/tcp_security.h"

namespace hearth {

// Channels for calls of objects, with the credentials of this process's user
// where they go over TCP.
ConnectFunction ConnectorFor(const TcpSecurityOptions& security);

// Sockets for calls of objects where gRPC is not needed: on this machine, and
// over TCP where nobody asked for TLS. Else an invalid one.
std::function<absl::StatusOr<PlainSocket>(const std::string& address,
                                          absl::Duration within)>
PlainConnectorFor(const TcpSecurityOptions& security);

}  // namespace hearth
