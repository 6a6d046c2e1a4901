#include "worker/segments/segment_server.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/shm/segment.h"
#include "worker/segments/origin.h"

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

// A file that somebody puts, for hosts that don't see it. Read, not mapped: who
// truncates it costs an error, not this process.
absl::StatusOr<BulkSource> ServeFile(FetchedSegment fetched) {
  HEARTH_RETURN_IF_ERROR(CheckFile(fetched.fd.get(), fetched.card.note));
  const auto bytes = static_cast<std::int64_t>(fetched.card.bytes);
  auto file = std::make_shared<const FetchedSegment>(std::move(fetched));
  return BulkSource{
      bytes,
      [file](std::int64_t offset,
             std::int64_t count) -> absl::StatusOr<grpc::Slice> {
        grpc::Slice slice(static_cast<std::size_t>(count));
        auto* to = const_cast<std::uint8_t*>(slice.begin());
        const std::int64_t from =
            static_cast<std::int64_t>(file->card.offset) + offset;
        for (std::int64_t done = 0; done < count;) {
          const ssize_t got =
              pread(file->fd.get(), to + done,
                    static_cast<std::size_t>(count - done), from + done);
          if (got < 0 && errno == EINTR) continue;
          if (got < 0) return ErrnoStatus("read a file for another host");
          if (got == 0) {
            return Error(Reason::kFileChanged,
                         "read a file for another host: it became shorter");
          }
          done += got;
        }
        HEARTH_RETURN_IF_ERROR(CheckFile(file->fd.get(), file->card.note));
        return slice;
      }};
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
        if (fetched.card.kind == SegmentKind::kFile) {
          return ServeFile(std::move(fetched));
        }
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
