#include "worker/service/segment_reach.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/address.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/shm/memory_limits.h"
#include "hearth/transport/bulk/bulk_channel.h"
#include "hearth/transport/security/identity.h"

namespace hearth::worker {
namespace {

// A write into a segment at a time: what is on its way stays in a cache.
constexpr std::int64_t kPieceBytes = std::int64_t{1} << 20;

}  // namespace

absl::StatusOr<std::optional<FetchedSegment>> SegmentReach::Fetch(
    const SegmentPlace& place) {
  const bool own = place.host.empty() || place.host == own_host_;
  absl::StatusOr<FetchedSegment> fetched =
      (own ? own_ : KeeperAt(place.host)).Fetch(place.token);
  if (fetched.ok()) {
    return std::optional<FetchedSegment>(*std::move(fetched));
  }
  if (!own && ReasonOf(fetched.status()) == Reason::kClusterUnreachable) {
    return std::optional<FetchedSegment>();
  }
  return fetched.status();
}

std::unique_ptr<BulkStream> SegmentReach::Read(
    const SegmentPlace& place, std::int64_t offset, std::int64_t bytes,
    std::int64_t cut, std::function<bool()> cancelled) {
  return std::make_unique<BulkStream>(
      BulkRange{place.token, offset, bytes, cut},
      [this, place](int attempt)
          -> absl::StatusOr<std::shared_ptr<grpc::Channel>> {
        if (place.addresses.empty()) {
          return Error(Reason::kSegmentGone,
                       absl::StrCat("read segment ", place.token.ToString(),
                                    ": no worker of its host, ", place.host,
                                    ", serves it to others; start its workers "
                                    "with --listen"));
        }
        return ChannelTo(place.addresses[static_cast<std::size_t>(attempt) %
                                         place.addresses.size()]);
      },
      BulkOptions{.cancelled = std::move(cancelled)});
}

absl::StatusOr<SealedSegment> SegmentReach::Bring(const SegmentPlace& place) {
  HEARTH_ASSIGN_OR_RETURN(std::optional<FetchedSegment> fetched, Fetch(place));
  if (fetched.has_value()) {
    return SealedSegment::Adopt(std::move(fetched->fd),
                                static_cast<std::int64_t>(fetched->card.bytes));
  }
  HEARTH_ASSIGN_OR_RETURN(OpenSegment open,
                          OpenSegment::Create(place.bytes, MemoryLimits()));
  const auto stream = Read(place, 0, place.bytes, kPieceBytes);
  std::vector<std::byte> piece;
  for (std::int64_t done = 0; done < place.bytes;) {
    piece.resize(static_cast<std::size_t>(
        std::min(kPieceBytes, place.bytes - done)));
    HEARTH_RETURN_IF_ERROR(stream->Next(piece));
    HEARTH_RETURN_IF_ERROR(open.WriteAt(done, piece));
    done += std::ssize(piece);
  }
  return open.Seal();
}

HandoverClient& SegmentReach::KeeperAt(const std::string& host) {
  MutexLock lock(mutex_);
  std::unique_ptr<HandoverClient>& keeper = keepers_[host];
  if (keeper == nullptr) {
    keeper = std::make_unique<HandoverClient>(HandoverOptions{
        .keeper = Address::Parse(host).value_or(Address())});
  }
  return *keeper;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> SegmentReach::ChannelTo(
    const std::string& address) {
  MutexLock lock(mutex_);
  std::shared_ptr<grpc::Channel>& channel = channels_[address];
  if (channel == nullptr) {
    HEARTH_ASSIGN_OR_RETURN(const TcpSecurity tcp,
                            TcpSecurity::Open(security_));
    channel = ConnectBulk(address, tcp.ForChannel(), kClusterName);
  }
  return channel;
}

}  // namespace hearth::worker
