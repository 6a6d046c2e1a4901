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

namespace hearth::worker {

// Where a segment lies, as a message said.
struct SegmentPlace {
  Id token{};
  std::string host{};                    // empty: this one
  std::vector<std::string> addresses{};  // who serves it to other hosts
  std::int64_t bytes = 0;
};

// How this worker gets at segments wherever they lie: by descriptor from a
// keeper of this machine, as a stream from anywhere else. Which it is, is found
// out by asking the keeper: a name that nobody answers to is another host's.
//
// Kind:    resource. Threads: any.
class SegmentReach {
 public:
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
  std::unique_ptr<BulkStream> Read(const SegmentPlace& place, std::int64_t offset,
                  std::int64_t bytes, std::int64_t cut,
                  std::function<bool()> cancelled = [] { return false; });

  // All of it, mapped, or copied here into a segment of our own.
  absl::StatusOr<SealedSegment> Bring(const SegmentPlace& place);

 private:
  HandoverClient& KeeperAt(const std::string& host)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelTo(
      const std::string& address)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string own_host_;
  HandoverClient own_;
  const TcpSecurityOptions security_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<HandoverClient>> keepers_
      ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace hearth::worker
