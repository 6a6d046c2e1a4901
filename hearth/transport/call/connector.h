#pragma once

#include "hearth/transport/call/directory_client.h"
#include "hearth/transport/security/tcp_security.h"

namespace hearth {

// Channels for calls of objects, with the credentials of this process's user
// where they go over TCP.
ConnectFunction ConnectorFor(const TcpSecurityOptions& security);

}  // namespace hearth
