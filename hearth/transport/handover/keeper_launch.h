#pragma once

#include <string>

#include "absl/status/status.h"
#include "hearth/base/address.h"

namespace hearth {

// Starts `program keeper --starter PID` (worker/keeper: RunTicketKeeper), which
// finds a listener at `address` on descriptor 3. When this returns, it can be
// connected to: the socket listens before its process is there.
//
// It runs in a session of its own, with / as its folder, /dev/null as its
// standard streams, and no other descriptor of ours: what it prints on standard
// error before it has started is the error's sentence. It leaves no zombie.
//
// Fails: file-missing when `program` can't be exec'ed; name-taken; not-allowed
//        with what the keeper says of why it can't start.
absl::Status StartTicketKeeper(const std::string& program,
                               const Address& address);

// Where a keeper's descriptor 3 comes from.
inline constexpr int kKeeperListenerFd = 3;

}  // namespace hearth
