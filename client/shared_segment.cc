#include "client/shared_segment.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <optional>

#include "client/resolve.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/shm/fill.h"
#include "hearth/shm/mapping.h"
#include "hearth/shm/memory_limits.h"

namespace hearth::client {
namespace {

absl::Status NotOpen() {
  return Error(Reason::kNotAllowed,
               "fill or seal a shared array: it is sealed already, or stands "
               "on a file; hearth.empty makes one that can be filled");
}

// One thread seals at a time. No mutex: a child that is forked meanwhile would
// find it locked by a thread that it does not have.
class SealTurn {
 public:
  explicit SealTurn(std::atomic<pid_t>& taken) : taken_(taken) {
    const pid_t self = getpid();
    pid_t by = 0;
    // What a parent's thread has taken is free here.
    while (!taken_.compare_exchange_strong(by, self)) {
      if (by != self) continue;
      taken_.wait(self);
      by = 0;
    }
  }
  ~SealTurn() {
    taken_ = 0;
    taken_.notify_all();
  }
  SealTurn(const SealTurn&) = delete;
  SealTurn& operator=(const SealTurn&) = delete;

 private:
  std::atomic<pid_t>& taken_;
};

}  // namespace

// Threads read it while another one seals: `kind` says what may be looked at,
// and is written last. Nothing that was there before the seal goes with it.
struct SharedSegment::State {
  std::atomic<Kind> kind = Kind::kMessage;
  // What is handed out; -1: nothing. One number, open as long as this lives.
  int fd = -1;
  std::pair<std::uint64_t, std::uint64_t> identity = {0, 0};

  // Of kOpen, and its bytes.
  std::optional<OpenSegment> open = {};
  std::span<std::byte> open_bytes = {};
  std::atomic<pid_t> sealing = 0;
  // Of kSealed, kFile and kMessage.
  std::shared_ptr<const MappedBytes> mapped = nullptr;
  // Of kPrivate.
  std::optional<Mapping> own = {};

  void Identify(int descriptor) {
    struct stat found {};
    fd = descriptor;
    if (fd >= 0 && fstat(fd, &found) == 0) {
      identity = {found.st_dev, found.st_ino};
    }
  }
  // Null unless it lies in one.
  const MappedBytes::File* file() const {
    return kind == Kind::kFile ? mapped->file() : nullptr;
  }
};

SharedSegment::SharedSegment(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
SharedSegment::SharedSegment(SharedSegment&&) noexcept = default;
SharedSegment& SharedSegment::operator=(SharedSegment&&) noexcept = default;
SharedSegment::~SharedSegment() = default;

SharedSegment::SharedSegment(std::shared_ptr<const MappedBytes> bytes)
    : state_(std::make_unique<State>()) {
  if (const SealedSegment* segment = bytes->segment()) {
    state_->kind = Kind::kSealed;
    state_->Identify(segment->fd());
  } else if (const MappedBytes::File* file = bytes->file()) {
    state_->kind = Kind::kFile;
    state_->Identify(file->source.fd());
  }
  state_->mapped = std::move(bytes);
}

absl::StatusOr<SharedSegment> SharedSegment::Adopt(OpenSegment segment,
                                                   bool mapped) {
  auto state = std::make_unique<State>();
  state->kind = Kind::kOpen;
  state->Identify(segment.fd());
  if (mapped) {
    HEARTH_ASSIGN_OR_RETURN(state->open_bytes, segment.Map());
  }
  state->open = std::move(segment);
  return SharedSegment(std::move(state));
}

absl::StatusOr<SharedSegment> SharedSegment::Create(
    std::int64_t bytes, const CreateOptions& options) {
  HEARTH_ASSIGN_OR_RETURN(
      OpenSegment segment,
      OpenSegment::Create(bytes, MemoryLimits(),
                          {.touched_bytes_max = options.touched_bytes_max}));
  return Adopt(std::move(segment), options.mapped);
}

absl::StatusOr<std::pair<SharedSegment, SegmentNote>> SharedSegment::Open(
    absl::string_view handle, HandleFrom from) {
  HEARTH_ASSIGN_OR_RETURN(OpenedHandle opened, OpenHandle(handle, from));
  SegmentNote note{.layout = opened.layout, .numpy = opened.numpy};
  if (opened.kind == SegmentKind::kOpen) {
    HEARTH_ASSIGN_OR_RETURN(
        OpenSegment segment,
        OpenSegment::Adopt(std::move(opened.fd), note.layout.bytes()));
    HEARTH_ASSIGN_OR_RETURN(SharedSegment shared,
                            Adopt(std::move(segment), /*mapped=*/true));
    return std::pair(std::move(shared), std::move(note));
  }
  if (opened.kind == SegmentKind::kFile) {
    HEARTH_ASSIGN_OR_RETURN(const Matrix matrix,
                            MapOpenedFile(std::move(opened)));
    return std::pair(Of(matrix), std::move(note));
  }
  HEARTH_ASSIGN_OR_RETURN(
      SealedSegment sealed,
      SealedSegment::Adopt(std::move(opened.fd), note.layout.bytes()));
  return std::pair(
      Of(std::make_shared<const MappedBytes>(note.layout, std::move(sealed))),
      std::move(note));
}

SharedSegment::Kind SharedSegment::kind() const { return state_->kind; }

std::span<const std::byte> SharedSegment::bytes() const {
  switch (kind()) {
    case Kind::kOpen:
      return state_->open_bytes;
    case Kind::kPrivate:
      return state_->own->bytes();
    default:
      return state_->mapped->bytes();
  }
}

std::string SharedSegment::file() const {
  const MappedBytes::File* file = state_->file();
  return file != nullptr ? file->source.path() : std::string();
}

std::pair<std::uint64_t, std::uint64_t> SharedSegment::identity() const {
  return state_->identity;
}

std::int64_t SharedSegment::offset() const {
  const MappedBytes::File* file = state_->file();
  return file != nullptr ? file->payload_offset : 0;
}

absl::Status SharedSegment::CopyIn(std::int64_t offset,
                                   std::span<const std::byte> from) {
  if (kind() != Kind::kOpen) return NotOpen();
  return CopyIntoSegment(*state_->open, offset, from, MemoryLimits());
}

absl::Status SharedSegment::MoveIn(std::int64_t offset,
                                   std::span<std::byte> from) {
  if (kind() != Kind::kOpen) return NotOpen();
  return MoveIntoSegment(*state_->open, offset, from, MemoryLimits());
}

absl::Status SharedSegment::MoveOut(std::int64_t offset,
                                    std::span<std::byte> to) {
  if (kind() != Kind::kOpen) return NotOpen();
  return MoveOutOfSegment(*state_->open, offset, to);
}

absl::Status SharedSegment::Seal() {
  const SealTurn turn(state_->sealing);
  if (kind() == Kind::kSealed) return absl::OkStatus();
  if (kind() != Kind::kOpen) return NotOpen();
  OpenSegment& open = *state_->open;
  HEARTH_ASSIGN_OR_RETURN(
      const MatrixLayout raw,
      MatrixLayout::Make(ElementType::kUint8, ByteOrder::kNative, Order::kC,
                         {open.bytes()}));
  HEARTH_ASSIGN_OR_RETURN(SealedSegment sealed,
                          open.Seal({.own_view = MapAccess::kPrivate}));
  state_->mapped = std::make_shared<const MappedBytes>(raw, std::move(sealed));
  state_->kind = Kind::kSealed;
  return absl::OkStatus();
}

absl::StatusOr<SharedSegment> SharedSegment::Private() const {
  if (kind() == Kind::kMessage || kind() == Kind::kPrivate) {
    return Error(Reason::kBadUsage,
                 "map bytes privately: they are this process's own already");
  }
  HEARTH_ASSIGN_OR_RETURN(Mapping mapping,
                          Mapping::Of(state_->fd, offset(), std::ssize(bytes()),
                                      MapAccess::kPrivate, "a shared array"));
  auto state = std::make_unique<State>();
  state->kind = Kind::kPrivate;
  state->own = std::move(mapping);
  return SharedSegment(std::move(state));
}

absl::StatusOr<std::string> SharedSegment::HandOut(
    const SegmentNote& note) const {
  switch (kind()) {
    case Kind::kOpen:
      return client::HandOut(state_->fd, SegmentKind::kOpen, note);
    case Kind::kSealed:
      return client::HandOut(state_->fd, SegmentKind::kSealed, note);
    case Kind::kFile:
      return client::HandOut(state_->fd, SegmentKind::kFile, note, offset());
    case Kind::kPrivate:
    case Kind::kMessage:
      break;
  }
  return Error(Reason::kBadUsage,
               "hand out a shared array: these bytes are this process's own; "
               "share a copy of them");
}

absl::StatusOr<Matrix> SharedSegment::AsMatrix(
    const MatrixLayout& layout) const {
  if (kind() == Kind::kOpen || kind() == Kind::kPrivate) {
    return Error(Reason::kBadUsage,
                 "compute on a shared array: it is still open; seal it first");
  }
  const std::shared_ptr<const MappedBytes>& mapped = state_->mapped;
  if (layout.bytes() != std::ssize(bytes())) {
    return Error(Reason::kInternal,
                 "compute on a shared array: its shape and its size disagree");
  }
  if (mapped->layout() == layout) return Matrix(mapped);
  if (const SealedSegment* segment = mapped->segment()) {
    HEARTH_ASSIGN_OR_RETURN(SealedSegment again, segment->Duplicate());
    return Matrix(
        std::make_shared<const MappedBytes>(layout, std::move(again)));
  }
  return Error(Reason::kBadUsage,
               "compute on a shared array: its file has another layout");
}

}  // namespace hearth::client
