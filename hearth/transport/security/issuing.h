#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/transport/security/authority.h"
#include "hearth/transport/security/pem.h"

namespace hearth {

// A directory of credentials that was just written.
struct IssuedDirectory {
  std::string directory;
  CertificateFacts authority;
  CertificateFacts node;
};

struct IssueOptions {
  NodeRequest node;
  bool replace = false;  // credentials that are there already
  absl::Time now;
};

// A cluster's authority and its first node: ca.pem, ca.key, node.pem and
// node.key, in a directory that appears whole or not at all. Directories above
// it are made where they are missing.
//
// Fails: name-taken where there are credentials and `replace` is not set, or
//        other people's files; not-allowed, file-missing or out-of-disk when
//        it can't be written.
absl::StatusOr<IssuedDirectory> MakeCluster(const std::string& directory,
                                            const IssueOptions& options);

// Another node of the cluster whose authority lies in `authority`: ca.pem,
// node.pem and node.key, without the authority's key. Into the authority's own
// directory, it renews that node's.
absl::StatusOr<IssuedDirectory> IssueDirectory(const std::string& authority,
                                               const std::string& directory,
                                               const IssueOptions& options);

}  // namespace hearth
