#include "client/cli/context.h"

namespace hearth::client {

absl::StatusOr<Cluster> Context::OpenCluster(int workers) const {
  if (!cluster.empty()) {
    return Cluster::Connect(cluster,
                            {.tls_dir = tls_dir, .insecure = insecure});
  }
  return Cluster::Local({.workers = workers});
}

}  // namespace hearth::client
