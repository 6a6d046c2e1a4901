#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/hearth.h"
#include "client/launch/local_cluster.h"
#include "client/service/coordinator_client.h"
#include "hearth/base/mutex.h"
#include "hearth/transport/handover/handover_client.h"
#include "hearth/transport/reach/segment_reach.h"
#include "protos/matrix.pb.h"

namespace hearth {

// What every copy of a Cluster shares.
//
// Kind:    resource. Threads: any.
class ClusterState {
 public:
  ClusterState(std::unique_ptr<client::LocalCluster> local,
               std::unique_ptr<client::CoordinatorClient> coordinator,
               const proto::ClusterInfo& info, std::string address,
               TcpSecurityOptions security = {})
      : address_(std::move(address)),
        local_(std::move(local)),
        coordinator_(std::move(coordinator)),
        hosts_(info.hosts().begin(), info.hosts().end()),
        reach_(Address(), std::move(security)) {}

  const std::string& address() const { return address_; }
  client::CoordinatorClient& coordinator() { return *coordinator_; }
  // Hosts with ready workers: as last heard, and as the coordinator says now,
  // if it does.
  std::vector<std::string> Hosts() ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::string> HostsNow() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for the first of them for as long as a job waits for workers.
  std::vector<std::string> HostsOnceReady() ABSL_LOCKS_EXCLUDED(mutex_);

  // The keeper of `host`, which must be this one.
  HandoverClient& KeeperOf(const std::string& host) {
    return reach_.KeeperAt(host);
  }
  // A keeper on this host, for segments made here.
  absl::StatusOr<std::string> LocalHost();

  SegmentReach& reach() { return reach_; }

  // The bytes of a segment, if it lies on this host.
  absl::StatusOr<std::shared_ptr<const MappedBytes>> MapHere(
      const MatrixLayout& layout, const proto::SegmentSource& segment);
  // The bytes of a segment, mapped: from another host, a copy in memory of
  // ours. `find` is asked where it has moved to meanwhile.
  absl::StatusOr<std::shared_ptr<const MappedBytes>> Map(
      const MatrixLayout& layout, const proto::SegmentSource& segment,
      SegmentServers::Find find);

  // Finds that segment of the matrix, as the coordinator says then.
  SegmentServers::Find FinderOf(std::string name,
                                const proto::SegmentSource& segment);

 private:
  const std::string address_;
  std::unique_ptr<client::LocalCluster> local_;  // ended last
  std::unique_ptr<client::CoordinatorClient> coordinator_;
  Mutex mutex_;
  std::vector<std::string> hosts_ ABSL_GUARDED_BY(mutex_);
  SegmentReach reach_;
};

}  // namespace hearth
