#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "hearth/base/mutex.h"
#include "hearth/shm/segment.h"
#include "hearth/transport/bulk/bulk_stream.h"
#include "hearth/transport/handover/handover_client.h"
#include "hearth/transport/security/tcp_security.h"

namespace hearth {

// Where a segment lies, as a message said.
struct SegmentPlace {
  Id token{};
  std::string host{};                    // empty: this one
  std::vector<std::string> addresses{};  // who serves it to other hosts
  std::int64_t bytes = 0;
};

// How a process gets at segments wherever they lie: by descriptor from a keeper
// of this machine, as a stream from anywhere else. Which it is, is found out by
// asking the keeper: a name that nobody answers to is another host's.
//
// Kind:    resource. Threads: any.
class SegmentReach {
 public:
  // `own_keeper`: of a worker; a client has none, and no segment without host.
  SegmentReach(const Address& own_keeper, TcpSecurityOptions security)
      : own_host_(own_keeper.ToString()),
        own_({.keeper = own_keeper}),
        security_(std::move(security)) {}

  HandoverClient& own() { return own_; }

  // None where it lies on another host.
  // Fails: SEGMENT_GONE, and what else a keeper says.
  absl::StatusOr<std::optional<FetchedSegment>> Fetch(
      const SegmentPlace& place);

  // [offset, offset + bytes) of a segment of another host.
  std::unique_ptr<BulkStream> Read(
      const SegmentPlace& place, std::int64_t offset, std::int64_t bytes,
      std::int64_t cut, std::function<bool()> cancelled = [] { return false; });

  // All of it, mapped; or, from another host, streamed into a segment of ours.
  absl::StatusOr<SealedSegment> Bring(const SegmentPlace& place);

  // The same once for all processes of this host: the first that comes streams,
  // into a copy that our keeper holds; the others wait and map. The copy stays
  // until CopyTokenOf is dropped. `streamed` grows by what crossed hosts for
  // us.
  absl::StatusOr<SealedSegment> BringOnce(
      const SegmentPlace& place, std::int64_t& streamed,
      const std::function<bool()>& cancelled);
  static Id CopyTokenOf(const Id& token);

  // The keeper of `host`, if it is on this machine.
  HandoverClient& KeeperAt(const std::string& host) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::StatusOr<SealedSegment> Stream(OpenSegment into,
                                       const SegmentPlace& place,
                                       const std::function<bool()>& cancelled);
  // Whether this process, of all that asked, is the one that fills the copy.
  absl::StatusOr<bool> Claim(const Id& copy, const OpenSegment& mine);
  absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelTo(
      const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string own_host_;
  HandoverClient own_;
  const TcpSecurityOptions security_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<HandoverClient>> keepers_
      ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace hearth
