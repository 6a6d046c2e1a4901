// Unix stream sockets whose other end is known to be this user's.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/base/address.h"
#include "hearth/base/unique_fd.h"

namespace hearth {

// Listens; close-on-exec. NAME_TAKEN when another process listens there.
absl::StatusOr<UniqueFd> ListenUnix(const Address& address);

// Connects and checks who answers. CLUSTER_UNREACHABLE when nobody listens,
// NOT_ALLOWED when the listener is another user's.
absl::StatusOr<UniqueFd> ConnectUnix(const Address& address);

// NOT_ALLOWED naming the other end's user unless it is ours (or root's, whom
// nothing can keep out).
absl::Status CheckPeer(int socket);

}  // namespace hearth
