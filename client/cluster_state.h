#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/hearth.h"
#include "client/launch/local_cluster.h"
#include "client/service/coordinator_client.h"
#include "hearth/base/mutex.h"
#include "hearth/transport/handover/handover_client.h"
#include "protos/matrix.pb.h"

namespace hearth {

// What every copy of a Cluster shares.
//
// Kind:    resource. Threads: any.
class ClusterState {
 public:
  ClusterState(std::unique_ptr<client::LocalCluster> local,
               std::unique_ptr<client::CoordinatorClient> coordinator,
               proto::ClusterInfo info)
      : local_(std::move(local)),
        coordinator_(std::move(coordinator)),
        info_(std::move(info)) {}

  client::CoordinatorClient& coordinator() { return *coordinator_; }
  const proto::ClusterInfo& info() const { return info_; }

  // The keeper of `host`, which must be this one.
  HandoverClient& KeeperOf(const std::string& host) ABSL_LOCKS_EXCLUDED(mutex_);
  // A keeper on this host, for segments made here.
  absl::StatusOr<std::string> LocalHost() const;

  // The bytes of a segment, mapped.
  absl::StatusOr<std::shared_ptr<const MappedBytes>> Map(
      const MatrixLayout& layout, const proto::SegmentSource& segment);

 private:
  std::unique_ptr<client::LocalCluster> local_;  // ended last
  std::unique_ptr<client::CoordinatorClient> coordinator_;
  const proto::ClusterInfo info_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<HandoverClient>> keepers_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace hearth
