#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hearth {

// A certificate and its private key, both as PEM texts.
struct KeyedCertificate {
  std::string certificate;
  std::string key;
};

// A new authority with a key of its own (EC P-256), good for ten years. No two
// have one name, so that a certificate of another cluster's is always told
// from a forged one of ours.
absl::StatusOr<KeyedCertificate> MakeAuthority(absl::Time now);

struct NodeRequest {
  // Names and addresses that people know the node by. They are written into
  // the certificate for other tools; Hearth's own checks don't look at them.
  std::vector<std::string> hosts;
  absl::Duration lifetime = absl::Hours(24 * 365);
};

// A certificate for one node, to be used as server and as client, signed by
// `authority`. It ends with its authority's at the latest.
//
// Fails: bad-usage for a host that is neither a DNS name nor an address;
//        bad-credentials when the authority is damaged, has expired, or its
//        key is another's.
absl::StatusOr<KeyedCertificate> IssueNode(const KeyedCertificate& authority,
                                           const NodeRequest& request,
                                           absl::Time now);

}  // namespace hearth
