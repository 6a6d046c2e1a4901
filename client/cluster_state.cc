#include "client/cluster_state.h"

#include <utility>

#include "client/mapped_bytes.h"
#include "hearth/base/address.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/control/codec.h"

namespace hearth {

HandoverClient& ClusterState::KeeperOf(const std::string& host) {
  MutexLock lock(mutex_);
  std::unique_ptr<HandoverClient>& keeper = keepers_[host];
  if (keeper == nullptr) {
    const auto address = Address::Parse(host);
    keeper = std::make_unique<HandoverClient>(
        HandoverOptions{.keeper = address.value_or(Address())});
  }
  return *keeper;
}

absl::StatusOr<std::string> ClusterState::LocalHost() const {
  if (info_.hosts().empty()) {
    return Error(Reason::kWorkerLost,
                 "hand over a segment: no worker is ready, so no keeper is "
                 "known; start workers");
  }
  return info_.hosts(0);
}

absl::StatusOr<std::shared_ptr<const MappedBytes>> ClusterState::Map(
    const MatrixLayout& layout, const proto::SegmentSource& segment) {
  HEARTH_ASSIGN_OR_RETURN(
      FetchedSegment fetched,
      KeeperOf(segment.host()).Fetch(FromProto(segment.token())));
  HEARTH_ASSIGN_OR_RETURN(
      SealedSegment sealed,
      SealedSegment::Adopt(std::move(fetched.fd), layout.bytes()));
  return std::make_shared<const MappedBytes>(layout, std::move(sealed));
}

}  // namespace hearth
