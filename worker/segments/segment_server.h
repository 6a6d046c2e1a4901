#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "hearth/transport/bulk/bulk_server.h"
#include "hearth/transport/handover/handover_client.h"
#include "hearth/transport/security/tcp_security.h"

namespace hearth::worker {

// Serves what the keeper of this host holds to workers of other hosts.
absl::StatusOr<std::unique_ptr<BulkServer>> ServeSegments(
    const Address& listen, const TcpSecurityOptions& security,
    HandoverClient& keeper);

}  // namespace hearth::worker
