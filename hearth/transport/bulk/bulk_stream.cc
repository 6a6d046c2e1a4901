#include "hearth/transport/bulk/bulk_stream.h"

#include <emmintrin.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hearth/base/crc32c.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/bulk/bulk_method.h"
#include "hearth/transport/bulk/chunk.h"
#include "hearth/transport/control/codec.h"
#include "protos/bulk.pb.h"

namespace hearth {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(20);
constexpr int kGoneMax = 4;
constexpr absl::Duration kLastPause = absl::Seconds(1);
constexpr absl::Duration kCancelLook = absl::Milliseconds(50);

// Copies past the cache: rows are read by another pass, after the caches have
// seen a row block of them. A plain copy would read each line before it writes.
void CopyPastCache(std::byte* to, std::span<const std::byte> from) {
  constexpr std::size_t kLine = 64;
  const auto misaligned =
      static_cast<std::size_t>(-reinterpret_cast<std::intptr_t>(to)) % kLine;
  const std::size_t head = std::min(misaligned, from.size());
  std::memcpy(to, from.data(), head);
  to += head;
  from = from.subspan(head);
  for (; from.size() >= kLine; from = from.subspan(kLine), to += kLine) {
    const auto* source = reinterpret_cast<const __m128i*>(from.data());
    auto* target = reinterpret_cast<__m128i*>(to);
    const __m128i a = _mm_loadu_si128(source);
    const __m128i b = _mm_loadu_si128(source + 1);
    const __m128i c = _mm_loadu_si128(source + 2);
    const __m128i d = _mm_loadu_si128(source + 3);
    _mm_stream_si128(target, a);
    _mm_stream_si128(target + 1, b);
    _mm_stream_si128(target + 2, c);
    _mm_stream_si128(target + 3, d);
  }
  std::memcpy(to, from.data(), from.size());
}

std::span<const std::byte> BytesOf(const grpc::Slice& slice) {
  return {reinterpret_cast<const std::byte*>(slice.begin()), slice.size()};
}

// Worth asking again: the way there broke, not what is asked for.
bool IsPassing(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDataLoss(status) ||
         absl::IsDeadlineExceeded(status) ||
         ReasonOf(status) == Reason::kClusterUnreachable;
}

// What keeps reads whole through a short pause of the network.
absl::Duration Jittered(absl::Duration pause) {
  thread_local std::minstd_rand random(std::random_device{}());
  return pause * std::uniform_real_distribution<double>(0.5, 1.5)(random);
}

}  // namespace

// One call, on a queue of its own.
class BulkStream::Attempt {
 public:
  Attempt(std::shared_ptr<grpc::Channel> channel, const BulkOptions& options)
      : options_(options), stub_(std::move(channel)) {}

  ~Attempt() {
    context_.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  absl::Status Ask(const proto::BulkRequest& request) {
    bool own = false;
    grpc::ByteBuffer bytes;
    grpc::SerializationTraits<proto::BulkRequest>::Serialize(request, &bytes,
                                                             &own)
        .ok();
    call_ = stub_.PrepareCall(&context_, kBulkMethod, &queue_);
    call_->StartCall(this);
    HEARTH_RETURN_IF_ERROR(Wait());
    call_->WriteLast(bytes, grpc::WriteOptions(), this);
    return Wait();
  }

  // The next message, as gRPC received it.
  absl::StatusOr<std::vector<grpc::Slice>> Read() {
    call_->Read(&buffer_, this);
    HEARTH_RETURN_IF_ERROR(Wait());
    std::vector<grpc::Slice> slices;
    if (!buffer_.Dump(&slices).ok()) {
      return absl::DataLossError("a chunk that can't be decompressed");
    }
    return slices;
  }

 private:
  // For the operation under way. Not OK: the call has ended, with this status.
  absl::Status Wait() {
    HEARTH_ASSIGN_OR_RETURN(const bool ok, WaitOnce());
    if (ok) return absl::OkStatus();
    call_->Finish(&status_, this);
    HEARTH_RETURN_IF_ERROR(WaitOnce().status());
    if (status_.ok()) {
      return absl::DataLossError("it ended before its last byte");
    }
    return FromGrpc(status_);
  }

  absl::StatusOr<bool> WaitOnce() {
    const absl::Time until = absl::Now() + options_.stall;
    for (;;) {
      const absl::Time look = std::min(until, absl::Now() + kCancelLook);
      void* tag = nullptr;
      bool ok = false;
      switch (queue_.AsyncNext(&tag, &ok, absl::ToChronoTime(look))) {
        case grpc::CompletionQueue::GOT_EVENT:
          return ok;
        case grpc::CompletionQueue::SHUTDOWN:
          return absl::InternalError("its queue has ended");
        case grpc::CompletionQueue::TIMEOUT:
          break;
      }
      if (options_.cancelled()) return absl::CancelledError("cancelled");
      if (absl::Now() >= until) {
        return absl::DeadlineExceededError(absl::StrCat(
            "nothing came for ", absl::FormatDuration(options_.stall)));
      }
    }
  }

  const BulkOptions& options_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  // Written by gRPC, until the queue is drained.
  grpc::ByteBuffer buffer_;
  grpc::Status status_;
};

BulkStream::BulkStream(BulkRange range, Connect connect, BulkOptions options)
    : range_(range),
      connect_(std::move(connect)),
      options_(std::move(options)) {}
BulkStream::~BulkStream() = default;

absl::Status BulkStream::Next(std::span<std::byte> into) {
  absl::Time last_byte = absl::Now();
  absl::Duration pause = kFirstPause;
  while (!into.empty()) {
    const absl::Status status = ReadChunk(into);
    if (status.ok()) {
      last_byte = absl::Now();
      pause = kFirstPause;
      gone_ = 0;
      continue;
    }
    attempt_.reset();
    // It may lie elsewhere by now, and whoever connects will hear of it.
    const bool may_have_moved =
        ReasonOf(status) == Reason::kSegmentGone && ++gone_ < kGoneMax;
    if (!IsPassing(status) && !may_have_moved) return status;
    if (absl::Now() - last_byte >= options_.patience) {
      return Error(Reason::kClusterUnreachable,
                   absl::StrCat("read segment ", range_.token.ToString(),
                                " from another host: nothing came for ",
                                absl::FormatDuration(options_.patience), " (",
                                status.message(), "); is the network whole?"));
    }
    for (absl::Duration left = Jittered(pause); left > absl::ZeroDuration();
         left -= kCancelLook) {
      if (options_.cancelled()) return absl::CancelledError("cancelled");
      absl::SleepFor(std::min(left, kCancelLook));
    }
    pause = std::min(2 * pause, kLastPause);
    ++resumed_;
  }
  return absl::OkStatus();
}

absl::Status BulkStream::ReadChunk(std::span<std::byte>& into) {
  if (attempt_ == nullptr) {
    HEARTH_ASSIGN_OR_RETURN(BulkPeer peer, connect_(attempts_++));
    attempt_ = std::make_unique<Attempt>(std::move(peer.channel), options_);
    proto::BulkRequest request;
    *request.mutable_token() =
        ToProto(peer.token.zero() ? range_.token : peer.token);
    request.set_offset(range_.offset + done_);
    request.set_bytes(range_.bytes - done_);
    request.set_cut_origin(range_.offset);
    request.set_cut(range_.cut);
    HEARTH_RETURN_IF_ERROR(attempt_->Ask(request));
  }
  HEARTH_ASSIGN_OR_RETURN(const std::vector<grpc::Slice> slices,
                          attempt_->Read());
  std::array<std::byte, kChunkHeadBytesMax> begin;
  std::size_t begun = 0;
  for (const grpc::Slice& slice : slices) {
    const auto part =
        BytesOf(slice).first(std::min(slice.size(), begin.size() - begun));
    std::copy(part.begin(), part.end(), begin.begin() + begun);
    begun += part.size();
  }
  const auto parsed = ParseChunkHead(std::span(begin).first(begun));
  if (!parsed.has_value() || parsed->head.offset != range_.offset + done_ ||
      parsed->head.bytes == 0 ||
      parsed->head.bytes > static_cast<std::int64_t>(into.size())) {
    return absl::DataLossError("a chunk that was not asked for");
  }
  std::size_t skipped = parsed->size;
  std::uint32_t crc = 0;
  std::size_t copied = 0;
  const auto bytes = static_cast<std::size_t>(parsed->head.bytes);
  for (const grpc::Slice& slice : slices) {
    std::span<const std::byte> part = BytesOf(slice);
    const std::size_t skip = std::min(skipped, part.size());
    skipped -= skip;
    part = part.subspan(skip);
    if (part.size() > bytes - copied) {
      return absl::DataLossError("a chunk longer than it says");
    }
    crc = Crc32c(part, crc);
    CopyPastCache(into.data() + copied, part);
    copied += part.size();
  }
  _mm_sfence();  // the caller's other threads must see it all
  if (copied != bytes || crc != parsed->head.crc32c) {
    return absl::DataLossError("a chunk whose checksum is another");
  }
  done_ += parsed->head.bytes;
  into = into.subspan(bytes);
  return absl::OkStatus();
}

}  // namespace hearth
