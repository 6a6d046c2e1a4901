#include "client/shared_segment.h"

#include <sys/stat.h>

#include "client/resolve.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/shm/fill.h"
#include "hearth/shm/memory_limits.h"

namespace hearth::client {
namespace {

absl::Status NotOpen() {
  return Error(Reason::kNotAllowed,
               "fill or seal a shared array: it is sealed already, or stands "
               "on a file; hearth.empty makes one that can be filled");
}

}  // namespace

SharedSegment::SharedSegment(std::shared_ptr<const MappedBytes> bytes)
    : holder_(std::move(bytes)) {
  Identify();
}

absl::StatusOr<SharedSegment> SharedSegment::Adopt(OpenSegment segment,
                                                   bool mapped) {
  Opened opened{std::move(segment), {}};
  if (mapped) {
    HEARTH_ASSIGN_OR_RETURN(opened.bytes, opened.segment.Map());
  }
  SharedSegment shared{Holder(std::move(opened))};
  shared.Identify();
  return shared;
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
    absl::string_view handle) {
  HEARTH_ASSIGN_OR_RETURN(OpenedHandle opened, OpenHandle(handle));
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

SharedSegment::Kind SharedSegment::kind() const {
  if (std::holds_alternative<Opened>(holder_)) return Kind::kOpen;
  if (std::holds_alternative<Mapping>(holder_)) return Kind::kPrivate;
  const MappedBytes& bytes =
      *std::get<std::shared_ptr<const MappedBytes>>(holder_);
  if (bytes.segment() != nullptr) return Kind::kSealed;
  return bytes.file() != nullptr ? Kind::kFile : Kind::kMessage;
}

std::span<const std::byte> SharedSegment::bytes() const {
  if (const auto* open = std::get_if<Opened>(&holder_)) return open->bytes;
  if (const auto* mapping = std::get_if<Mapping>(&holder_)) {
    return mapping->bytes();
  }
  return std::get<std::shared_ptr<const MappedBytes>>(holder_)->bytes();
}

std::string SharedSegment::file() const {
  const auto* mapped =
      std::get_if<std::shared_ptr<const MappedBytes>>(&holder_);
  const bool lies_in_file = mapped != nullptr && (*mapped)->file() != nullptr;
  return lies_in_file ? (*mapped)->file()->source.path() : std::string();
}

int SharedSegment::fd() const {
  if (const auto* open = std::get_if<Opened>(&holder_)) {
    return open->segment.fd();
  }
  const auto* mapped =
      std::get_if<std::shared_ptr<const MappedBytes>>(&holder_);
  if (mapped == nullptr) return -1;
  if ((*mapped)->segment() != nullptr) return (*mapped)->segment()->fd();
  return (*mapped)->file() != nullptr ? (*mapped)->file()->source.fd() : -1;
}

std::int64_t SharedSegment::offset() const {
  const auto* mapped =
      std::get_if<std::shared_ptr<const MappedBytes>>(&holder_);
  const bool lies_in_file = mapped != nullptr && (*mapped)->file() != nullptr;
  return lies_in_file ? (*mapped)->file()->payload_offset : 0;
}

void SharedSegment::Identify() {
  struct stat found {};
  if (fd() >= 0 && fstat(fd(), &found) == 0) {
    identity_ = {found.st_dev, found.st_ino};
  }
}

absl::Status SharedSegment::CopyIn(std::int64_t offset,
                                   std::span<const std::byte> from) {
  auto* open = std::get_if<Opened>(&holder_);
  if (open == nullptr) return NotOpen();
  return CopyIntoSegment(open->segment, offset, from, MemoryLimits());
}

absl::Status SharedSegment::MoveIn(std::int64_t offset,
                                   std::span<std::byte> from) {
  auto* open = std::get_if<Opened>(&holder_);
  if (open == nullptr) return NotOpen();
  return MoveIntoSegment(open->segment, offset, from, MemoryLimits());
}

absl::Status SharedSegment::MoveOut(std::int64_t offset,
                                    std::span<std::byte> to) {
  auto* open = std::get_if<Opened>(&holder_);
  if (open == nullptr) return NotOpen();
  return MoveOutOfSegment(open->segment, offset, to);
}

absl::Status SharedSegment::Seal() {
  auto* open = std::get_if<Opened>(&holder_);
  if (open == nullptr) return NotOpen();
  HEARTH_ASSIGN_OR_RETURN(
      const MatrixLayout raw,
      MatrixLayout::Make(ElementType::kUint8, ByteOrder::kNative, Order::kC,
                         {open->segment.bytes()}));
  HEARTH_ASSIGN_OR_RETURN(
      SealedSegment sealed,
      open->segment.Seal({.own_view = MapAccess::kPrivate}));
  holder_ = std::make_shared<const MappedBytes>(raw, std::move(sealed));
  return absl::OkStatus();
}

absl::StatusOr<SharedSegment> SharedSegment::Private() const {
  if (fd() < 0) {
    return Error(Reason::kBadUsage,
                 "map bytes privately: they are this process's own already");
  }
  HEARTH_ASSIGN_OR_RETURN(Mapping mapping,
                          Mapping::Of(fd(), offset(), std::ssize(bytes()),
                                      MapAccess::kPrivate, "a shared array"));
  return SharedSegment(Holder(std::move(mapping)));
}

absl::StatusOr<std::string> SharedSegment::HandOut(
    const SegmentNote& note) const {
  switch (kind()) {
    case Kind::kOpen:
      return client::HandOut(fd(), SegmentKind::kOpen, note);
    case Kind::kSealed:
      return client::HandOut(fd(), SegmentKind::kSealed, note);
    case Kind::kFile:
      return client::HandOut(fd(), SegmentKind::kFile, note, offset());
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
  const auto* mapped =
      std::get_if<std::shared_ptr<const MappedBytes>>(&holder_);
  if (mapped == nullptr) {
    return Error(Reason::kBadUsage,
                 "compute on a shared array: it is still open; seal it first");
  }
  if (layout.bytes() != std::ssize(bytes())) {
    return Error(Reason::kInternal,
                 "compute on a shared array: its shape and its size disagree");
  }
  if ((*mapped)->layout() == layout) return Matrix(*mapped);
  if (const SealedSegment* segment = (*mapped)->segment()) {
    HEARTH_ASSIGN_OR_RETURN(SealedSegment again, segment->Duplicate());
    return Matrix(
        std::make_shared<const MappedBytes>(layout, std::move(again)));
  }
  return Error(Reason::kBadUsage,
               "compute on a shared array: its file has another layout");
}

}  // namespace hearth::client
