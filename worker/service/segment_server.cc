#include "worker/service/segment_server.h"

#include <cstdint>
#include <utility>

#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/shm/segment.h"

namespace hearth::worker {
namespace {

using SharedSegment = std::shared_ptr<const SealedSegment>;

// A part of a mapped segment, which stays mapped for as long as gRPC has it.
grpc::Slice SliceOf(const SharedSegment& segment, std::int64_t offset,
                    std::int64_t bytes) {
  const std::byte* at = segment->bytes().data() + offset;
  return grpc::Slice(
      const_cast<std::byte*>(at), static_cast<std::size_t>(bytes),
      [](void* holder) { delete static_cast<SharedSegment*>(holder); },
      new SharedSegment(segment));
}

}  // namespace

absl::StatusOr<std::unique_ptr<BulkServer>> ServeSegments(
    const Address& listen, const TcpSecurityOptions& security,
    HandoverClient& keeper) {
  HEARTH_ASSIGN_OR_RETURN(const TcpSecurity tcp, TcpSecurity::Open(security));
  HEARTH_ASSIGN_OR_RETURN(TcpListener listener, ListenTcp(listen));
  return BulkServer::Start(
      std::move(listener), tcp.ForServer(),
      [&keeper](const Id& token) -> absl::StatusOr<BulkSource> {
        HEARTH_ASSIGN_OR_RETURN(FetchedSegment fetched, keeper.Fetch(token));
        if (fetched.card.kind != SegmentKind::kSealed) {
          return Error(
              Reason::kBadUsage,
              "read a segment: it is still being filled; seal it first");
        }
        HEARTH_ASSIGN_OR_RETURN(SealedSegment sealed,
                                SealedSegment::Adopt(std::move(fetched.fd),
                                                     static_cast<std::int64_t>(
                                                         fetched.card.bytes)));
        auto segment = std::make_shared<const SealedSegment>(std::move(sealed));
        const std::int64_t bytes = std::ssize(segment->bytes());
        return BulkSource{bytes,
                          [segment](std::int64_t offset, std::int64_t count) {
                            return SliceOf(segment, offset, count);
                          }};
      });
}

}  // namespace hearth::worker
