#include "hearth/transport/call/attachment.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/shm/descriptor.h"
#include "hearth/shm/fill.h"

namespace hearth {
namespace {

// Where arrays begin: a cache line, which every element type divides.
constexpr std::int64_t kAlignment = 64;
constexpr std::int64_t kBytesMax = std::numeric_limits<std::int64_t>::max() / 4;

}  // namespace

absl::StatusOr<std::shared_ptr<const Attachment>> Attachment::Adopt(
    UniqueFd fd, std::int64_t bytes) {
  HEARTH_ASSIGN_OR_RETURN(const SealedDescriptor descriptor,
                          SealedDescriptor::Adopt(std::move(fd), bytes));
  // Pages that nobody wrote would be ours to pay for when they are read.
  const std::int64_t unwritten = bytes - descriptor.ResidentBytes();
  HEARTH_RETURN_IF_ERROR(MemoryLimits().Reserve(
      std::max<std::int64_t>(unwritten, 0), "take an array that was sent"));
  auto made = std::make_shared<Attachment>();
  HEARTH_ASSIGN_OR_RETURN(
      made->mapping_,
      Mapping::Of(descriptor.fd(), 0, bytes, MapAccess::kRead, "an array"));
  made->bytes_ = bytes;
  return std::shared_ptr<const Attachment>(std::move(made));
}

std::int64_t Attachment::Add(ArrayBytes elements) {
  const std::int64_t offset =
      (bytes_ + kAlignment - 1) / kAlignment * kAlignment;
  bytes_ = offset + static_cast<std::int64_t>(elements.size());
  is_borrowed_ = is_borrowed_ || elements.is_borrowed();
  parts_.push_back({offset, std::move(elements)});
  return offset;
}

absl::Status Attachment::Share() {
  if (is_shared()) return absl::OkStatus();
  const MemoryLimits limits;
  HEARTH_ASSIGN_OR_RETURN(
      OpenSegment open,
      OpenSegment::Create(bytes_, limits, {.label = "hearth-call"}));
  for (const Part& part : parts_) {
    HEARTH_RETURN_IF_ERROR(
        CopyIntoSegment(open, part.offset, part.elements.bytes(), limits));
  }
  HEARTH_ASSIGN_OR_RETURN(segment_, open.Seal());
  parts_.clear();  // not before: what can't be sealed still goes in pieces
  is_borrowed_ = false;
  return absl::OkStatus();
}

void Attachment::Append(std::int64_t offset, std::int64_t bytes,
                        std::string& out) const {
  if (is_shared()) {
    const auto range = segment_->bytes().subspan(
        static_cast<std::size_t>(offset), static_cast<std::size_t>(bytes));
    out.append(reinterpret_cast<const char*>(range.data()), range.size());
    return;
  }
  const std::int64_t end = offset + bytes;
  auto part = std::upper_bound(
      parts_.begin(), parts_.end(), offset,
      [](std::int64_t at, const Part& one) { return at < one.offset; });
  if (part != parts_.begin()) --part;
  for (; offset < end && part != parts_.end(); ++part) {
    const auto begin = std::min(end, part->offset);
    if (begin > offset) {  // between two arrays
      out.append(static_cast<std::size_t>(begin - offset), '\0');
      offset = begin;
    }
    const std::int64_t skip = offset - part->offset;
    const std::int64_t count =
        std::min(std::ssize(part->elements.view()) - skip, end - offset);
    if (count <= 0) continue;
    out.append(part->elements.data() + skip, static_cast<std::size_t>(count));
    offset += count;
  }
}

absl::StatusOr<ArrayBytes> Attachment::At(std::uint64_t offset,
                                          std::int64_t bytes) const {
  const std::span<const std::byte> all =
      is_shared() ? segment_->bytes() : mapping_.bytes();
  if (offset % kAlignment != 0 || offset > all.size() || bytes < 0 ||
      static_cast<std::uint64_t>(bytes) > all.size() - offset) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read a value: an array of ", bytes,
                              " bytes is said to begin at ", offset, " of ",
                              all.size(), " that came beside it"));
  }
  return ArrayBytes::Shared(
      all.subspan(offset, static_cast<std::size_t>(bytes)), shared_from_this());
}

// ------------------------------------------------------------------ in pieces

absl::Status AttachmentPieces::Begin(std::uint64_t total) {
  if (total > kBytesMax) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("take an array in pieces: it is said to have ",
                              total, " bytes"));
  }
  HEARTH_ASSIGN_OR_RETURN(
      segment_, OpenSegment::Create(static_cast<std::int64_t>(total), limits_,
                                    {.label = "hearth-call"}));
  return absl::OkStatus();
}

void AttachmentPieces::Add(std::uint64_t total, const std::string& piece) {
  if (!std::exchange(has_begun_, true)) failed_ = Begin(total);
  if (!failed_.ok()) return;
  const auto bytes = static_cast<std::int64_t>(piece.size());
  if (bytes > segment_->bytes() - filled_) {
    failed_ = Error(Reason::kBadUsage,
                    absl::StrCat("take an array in pieces: more came than the ",
                                 segment_->bytes(), " bytes that were said"));
  } else if (filled_ + bytes - checked_ > limits::kFillCheckBytes) {
    failed_ =
        limits_.Reserve(segment_->bytes() - filled_, "take an array in pieces");
    checked_ = filled_;
  }
  if (failed_.ok()) {
    failed_ = segment_->WriteAt(filled_, std::as_bytes(std::span(piece)));
  }
  filled_ += bytes;
  if (!failed_.ok()) segment_.reset();
}

Attached AttachmentPieces::Take(std::uint64_t bytes) {
  const absl::Status failed = std::exchange(failed_, absl::OkStatus());
  std::optional<OpenSegment> segment = std::exchange(segment_, std::nullopt);
  const auto filled = static_cast<std::uint64_t>(std::exchange(filled_, 0));
  checked_ = 0;
  has_begun_ = false;
  if (!failed.ok()) return failed;
  if (!segment.has_value() || filled != bytes ||
      static_cast<std::uint64_t>(segment->bytes()) != bytes) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("take an array in pieces: ", filled, " of ",
                              bytes, " bytes came"));
  }
  HEARTH_ASSIGN_OR_RETURN(SealedSegment sealed, segment->Seal());
  HEARTH_ASSIGN_OR_RETURN(UniqueFd fd, DuplicateFd(sealed.fd()));
  return Attachment::Adopt(std::move(fd), static_cast<std::int64_t>(bytes));
}

}  // namespace hearth
