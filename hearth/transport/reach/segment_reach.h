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
#include "absl/strings/string_view.h"
#include "hearth/base/mutex.h"
#include "hearth/shm/segment.h"
#include "hearth/transport/bulk/bulk_stream.h"
#include "hearth/transport/handover/handover_client.h"
#include "hearth/transport/security/tcp_security.h"
#include "protos/coordinator.pb.h"
#include "protos/matrix.pb.h"

namespace hearth {

// One host's copy of a segment, as a message said.
struct ReplicaPlace {
  Id token{};
  std::string host{};                    // empty: this one
  std::vector<std::string> addresses{};  // who serves it to other hosts
};

// Who serves a segment to other hosts, as last heard: shared by all that read
// it, so that who finds a dead one spares the others that, and a reader goes on
// where the segment has moved to.
//
// Kind:    resource. Threads: any.
class SegmentServers {
 public:
  // Where the segment lies now.
  using Find = std::function<absl::StatusOr<std::vector<ReplicaPlace>>()>;
  // `find` is asked once all that are known have failed, and failed again;
  // null: whoever made this calls Learn.
  explicit SegmentServers(const std::vector<ReplicaPlace>& replicas,
                          Find find = nullptr)
      : find_(std::move(find)) {
    Learn(replicas);
  }
  struct Server {
    Id token{};
    std::string address{};
    friend bool operator==(const Server&, const Server&) = default;
  };
  void Learn(const std::vector<ReplicaPlace>& replicas)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Another than `failed`, if there is one; none where nobody serves it. May
  // wait for `find`, and fails where that says that the bytes are lost.
  absl::StatusOr<std::optional<Server>> Next(
      const std::optional<Server>& failed) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Whether all that are known have failed since they were learned.
  bool Pass(const std::optional<Server>& failed) ABSL_LOCKS_EXCLUDED(mutex_);

  const Find find_;
  Mutex mutex_;
  std::size_t failed_ ABSL_GUARDED_BY(mutex_) = 0;  // since they were learned
  std::vector<Server> servers_ ABSL_GUARDED_BY(mutex_);  // never by one host in
                                                         // a row, where two are
  std::size_t current_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Where a segment lies, as a message said.
struct SegmentPlace {
  Id token{};  // names the bytes, wherever they lie
  std::vector<ReplicaPlace> replicas{};
  std::int64_t bytes = 0;
  // What is learned later reaches who reads already; null: nothing will be.
  std::shared_ptr<SegmentServers> servers = nullptr;

  // One replica, which the bytes are named by.
  static SegmentPlace At(ReplicaPlace replica, std::int64_t bytes) {
    const Id token = replica.token;
    return {.token = token, .replicas = {std::move(replica)}, .bytes = bytes};
  }
  static SegmentPlace From(const proto::SegmentSource& message,
                           std::int64_t bytes);
};
std::vector<ReplicaPlace> ReplicasOf(
    const google::protobuf::RepeatedPtrField<proto::Replica>& replicas);
// Of the segment that `token` names, in what the coordinator says of a matrix.
// Fails: SEGMENT_GONE where that matrix has it no more; as it was lost.
absl::StatusOr<std::vector<ReplicaPlace>> ReplicasIn(
    const proto::MatrixInfo& info, const Id& token);

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
  // Whether `host` is what messages call the host of that keeper.
  bool IsOwn(absl::string_view host) const {
    return host.empty() || host == own_host_;
  }

  // A segment of this host; caches give way to it where memory is short.
  absl::StatusOr<OpenSegment> Create(std::int64_t bytes);

  // None where it lies on another host.
  // Fails: SEGMENT_GONE, and what else a keeper says.
  absl::StatusOr<std::optional<FetchedSegment>> Fetch(
      const SegmentPlace& place);

  // [offset, offset + bytes) of a segment of another host.
  std::unique_ptr<BulkStream> Read(const SegmentPlace& place,
                                   std::int64_t offset, std::int64_t bytes,
                                   std::int64_t cut, BulkOptions options = {});

  // All of it, mapped; or, from another host, streamed into a segment of ours.
  absl::StatusOr<SealedSegment> Bring(const SegmentPlace& place);

  // The same once for all processes of this host: the first that comes streams,
  // into a copy that our keeper holds; the others wait and map. It is a cache,
  // and stays until CopyTokenOf is dropped or its memory is needed. `streamed`
  // grows by what crossed hosts for us.
  absl::StatusOr<SealedSegment> BringOnce(
      const SegmentPlace& place, std::int64_t& streamed,
      const std::function<bool()>& cancelled);
  static Id CopyTokenOf(const Id& token);
  // The same with whatever `fill` writes into it, `bytes` of them.
  absl::StatusOr<SealedSegment> MakeOnce(
      const Id& copy, std::int64_t bytes,
      const std::function<absl::Status(const OpenSegment&)>& fill,
      const std::function<bool()>& cancelled);

  // All of it, into `into`. `progress` is told the bytes of every piece, and
  // says whether to go on.
  absl::StatusOr<SealedSegment> Stream(
      OpenSegment into, const SegmentPlace& place,
      const std::function<bool()>& cancelled,
      const std::function<absl::Status(std::int64_t)>& progress = nullptr);
  // A part of it, into a part of `into`.
  struct Part {
    std::int64_t from = 0;  // bytes
    std::int64_t to = 0;
    std::int64_t bytes = 0;
  };
  absl::Status StreamPart(
      const OpenSegment& into, const SegmentPlace& place, const Part& part,
      const std::function<bool()>& cancelled,
      const std::function<absl::Status(std::int64_t)>& progress = nullptr);

  // The keeper of `host`, if it is on this machine.
  HandoverClient& KeeperAt(const std::string& host) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
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
