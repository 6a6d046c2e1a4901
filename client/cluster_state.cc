#include "client/cluster_state.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/mapped_bytes.h"
#include "hearth/base/address.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/base/unix_socket.h"
#include "hearth/transport/control/codec.h"

namespace hearth {
namespace {

constexpr absl::Duration kKeeperTime = absl::Seconds(1);
constexpr absl::Duration kHostsTime = absl::Seconds(5);
constexpr absl::Duration kFirstHostTime = absl::Seconds(10);

// A host's keeper is on this machine if it answers.
std::optional<std::string> HereOf(const std::vector<std::string>& hosts) {
  for (const std::string& host : hosts) {
    const auto address = Address::Parse(host);
    if (address.ok() &&
        ConnectUnix(*address, SocketType::kPacket, kKeeperTime).ok()) {
      return host;
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> ClusterState::Hosts() {
  MutexLock lock(mutex_);
  return hosts_;
}

std::vector<std::string> ClusterState::HostsNow() {
  const auto info = coordinator_->WaitReady(0, kHostsTime);
  MutexLock lock(mutex_);
  if (info.ok()) hosts_.assign(info->hosts().begin(), info->hosts().end());
  return hosts_;
}

std::vector<std::string> ClusterState::HostsOnceReady() {
  const auto info = coordinator_->WaitReady(1, kFirstHostTime);
  MutexLock lock(mutex_);
  if (info.ok()) hosts_.assign(info->hosts().begin(), info->hosts().end());
  return hosts_;
}

absl::StatusOr<std::string> ClusterState::LocalHost() {
  if (auto here = HereOf(Hosts())) return *here;
  // Workers come and go; a host's keeper has another address when it is back.
  const std::vector<std::string> hosts = HostsNow();
  if (auto here = HereOf(hosts)) return *here;
  if (hosts.empty()) {
    return Error(Reason::kWorkerLost,
                 "hand over a segment: no worker is ready, so no keeper is "
                 "known; start workers");
  }
  return Error(Reason::kClusterUnreachable,
               "hand over a segment: the cluster has no worker on this host, "
               "so nobody here can hold it; start one with \"hearth worker\", "
               "or publish a file that the workers can open");
}

absl::StatusOr<std::shared_ptr<const MappedBytes>> ClusterState::MapHere(
    const MatrixLayout& layout, const proto::SegmentSource& segment) {
  HEARTH_ASSIGN_OR_RETURN(
      std::optional<FetchedSegment> fetched,
      reach_.Fetch(SegmentPlace::From(segment, layout.bytes())));
  if (!fetched.has_value()) {
    return Error(Reason::kSegmentGone, "map a matrix: it is on another host");
  }
  HEARTH_ASSIGN_OR_RETURN(
      SealedSegment sealed,
      SealedSegment::Adopt(std::move(fetched->fd), layout.bytes()));
  return std::make_shared<const MappedBytes>(layout, std::move(sealed));
}

absl::StatusOr<std::shared_ptr<const MappedBytes>> ClusterState::Map(
    const MatrixLayout& layout, const proto::SegmentSource& segment,
    SegmentServers::Find find) {
  SegmentPlace place = SegmentPlace::From(segment, layout.bytes());
  place.servers =
      std::make_shared<SegmentServers>(place.replicas, std::move(find));
  HEARTH_ASSIGN_OR_RETURN(SealedSegment sealed, reach_.Bring(place));
  if (std::ssize(sealed.bytes()) != layout.bytes()) {
    return Error(
        Reason::kInternal,
        absl::StrCat("map a matrix: its segment has ", sealed.bytes().size(),
                     " bytes where its shape "
                     "says ",
                     layout.bytes()));
  }
  return std::make_shared<const MappedBytes>(layout, std::move(sealed));
}

SegmentServers::Find ClusterState::FinderOf(
    std::string name, const proto::SegmentSource& segment) {
  return [this, name = std::move(name), token = FromProto(segment.token())]()
             -> absl::StatusOr<std::vector<ReplicaPlace>> {
    HEARTH_ASSIGN_OR_RETURN(const auto info, coordinator_->GetSoon(name));
    return ReplicasIn(info, token);
  };
}

}  // namespace hearth
