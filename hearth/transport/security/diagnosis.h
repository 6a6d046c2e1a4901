#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hearth/base/address.h"
#include "hearth/transport/security/credentials.h"

namespace hearth {

// Why a TCP connection to `address` does not come about: gRPC only says that
// it doesn't. Dials it anew, without gRPC, tries a TLS handshake with the same
// credentials (null: this end goes without), and says what it met.
//
// Returns: OK when it met nothing wrong; else cluster-unreachable (nobody
//          there) or bad-credentials (somebody, but not one of ours), as a
//          sentence.
// Blocks:  for `patience` at most, and while a host name is looked up.
absl::Status ExplainFailure(const Address& address,
                            const Credentials* credentials,
                            absl::Duration patience = absl::Seconds(2));

}  // namespace hearth
