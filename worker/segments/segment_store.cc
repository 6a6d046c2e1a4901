#include "worker/segments/segment_store.h"

#include <fcntl.h>

#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "hearth/base/crash_point.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"

namespace hearth::worker {
namespace {

// What another host does not bring for so long is computed again: sooner done
// than waiting for a host that may be dead.
constexpr absl::Duration kPatience = absl::Seconds(3);

std::string ToString(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Bytes ToBytes(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

bool IsSmall(std::size_t bytes) {
  return static_cast<std::int64_t>(bytes) <= limits::kInlineBytesMax;
}

// Whatever the keeper was told: whoever sealed it may have died before that.
bool IsSealed(const FetchedSegment& fetched) {
  return fetched.card.kind == SegmentKind::kSealed ||
         (fcntl(fetched.fd.get(), F_GET_SEALS) & F_SEAL_WRITE) != 0;
}

absl::StatusOr<SealedSegment> SealedOf(FetchedSegment fetched) {
  const auto bytes = static_cast<std::int64_t>(fetched.card.bytes);
  if (IsSealed(fetched))
    return SealedSegment::Adopt(std::move(fetched.fd), bytes);
  HEARTH_ASSIGN_OR_RETURN(OpenSegment open,
                          OpenSegment::Adopt(std::move(fetched.fd), bytes));
  return open.Seal();
}

}  // namespace

absl::StatusOr<BytesRef> SegmentStore::Put(std::span<const std::byte> bytes) {
  BytesRef ref;
  if (IsSmall(bytes.size())) {
    ref.inline_bytes = ToString(bytes);
    return ref;
  }
  HEARTH_ASSIGN_OR_RETURN(const SealedSegment segment,
                          SealedSegment::CopyOf(bytes, MemoryLimits()));
  ref.token = Id::Random();
  ref.bytes = std::ssize(bytes);
  HEARTH_RETURN_IF_ERROR(keeper_.Deposit(
      ref.token, segment.fd(),
      {.kind = SegmentKind::kSealed, .bytes = bytes.size(), .note = ""}));
  return ref;
}

absl::StatusOr<Bytes> SegmentStore::Get(
    const BytesRef& ref, const std::function<bool()>& cancelled) {
  if (!ref.has_token()) {
    return ToBytes(std::as_bytes(std::span(ref.inline_bytes)));
  }
  const auto place =
      SegmentPlace::At({ref.token, ref.host, ref.addresses}, ref.bytes);
  HEARTH_ASSIGN_OR_RETURN(std::optional<FetchedSegment> fetched,
                          reach_.Fetch(place));
  if (!fetched.has_value()) {
    if (ref.bytes < 0 || ref.bytes > limits::kReductionPartialBytesMax) {
      return Error(Reason::kTooLarge,
                   absl::StrCat("fetch a partial of ", ref.bytes, " bytes"));
    }
    Bytes bytes(static_cast<std::size_t>(ref.bytes));
    const auto stream = reach_.Read(
        place, 0, ref.bytes, 0,
        {.stall = kPatience, .patience = kPatience, .cancelled = cancelled});
    const absl::Status read = stream->Next(bytes);
    if (ReasonOf(read) == Reason::kClusterUnreachable) {
      return Error(Reason::kSegmentGone, read.message());
    }
    HEARTH_RETURN_IF_ERROR(read);
    return bytes;
  }
  HEARTH_ASSIGN_OR_RETURN(
      const SealedSegment segment,
      SealedSegment::Adopt(std::move(fetched->fd),
                           static_cast<std::int64_t>(fetched->card.bytes)));
  return ToBytes(segment.bytes());
}

absl::StatusOr<Id> SegmentStore::CreateResult(std::int64_t bytes) {
  HEARTH_ASSIGN_OR_RETURN(const OpenSegment segment, reach_.Create(bytes));
  const Id token = Id::Random();
  HEARTH_RETURN_IF_ERROR(
      keeper_.Deposit(token, segment.fd(),
                      {.kind = SegmentKind::kOpen,
                       .bytes = static_cast<std::uint64_t>(bytes),
                       .note = ""}));
  return token;
}

absl::StatusOr<std::optional<OpenSegment>> SegmentStore::OpenResult(
    const Id& token) {
  HEARTH_ASSIGN_OR_RETURN(FetchedSegment fetched, keeper_.Fetch(token));
  if (IsSealed(fetched)) return std::optional<OpenSegment>();
  HEARTH_ASSIGN_OR_RETURN(
      OpenSegment segment,
      OpenSegment::Adopt(std::move(fetched.fd),
                         static_cast<std::int64_t>(fetched.card.bytes)));
  return std::optional<OpenSegment>(std::move(segment));
}

absl::StatusOr<BytesRef> SegmentStore::SealResult(const Id& token) {
  HEARTH_ASSIGN_OR_RETURN(FetchedSegment fetched, keeper_.Fetch(token));
  const bool is_known_sealed = fetched.card.kind == SegmentKind::kSealed;
  HEARTH_ASSIGN_OR_RETURN(const SealedSegment sealed,
                          SealedOf(std::move(fetched)));
  const std::int64_t bytes = std::ssize(sealed.bytes());
  if (IsSmall(static_cast<std::size_t>(bytes))) {
    // The coordinator drops the plan's token with the job.
    return BytesRef{.inline_bytes = ToString(sealed.bytes()), .bytes = bytes};
  }
  if (!is_known_sealed) {
    HEARTH_RETURN_IF_ERROR(
        keeper_.Replace(token, sealed.fd(),
                        {.kind = SegmentKind::kSealed,
                         .bytes = static_cast<std::uint64_t>(bytes),
                         .note = ""}));
  }
  return BytesRef{.token = token, .bytes = bytes};
}

void SegmentStore::Drop(std::span<const Id> tokens) {
  CrashPoint("worker.drop");
  // The keeper may be gone, and its segments with it: nothing is left to do.
  keeper_.Drop(tokens).IgnoreError();
}

}  // namespace hearth::worker
