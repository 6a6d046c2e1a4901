#include "worker/segments/matrix_bytes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hearth/base/crash_point.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/matrix/byte_order.h"
#include "hearth/shm/fill.h"
#include "hearth/shm/memory_limits.h"
#include "hearth/shm/sigbus_guard.h"
#include "hearth/transport/control/codec.h"
#include "hearth/transport/reach/published_file.h"

namespace hearth::worker {

void Learn(const proto::MatrixRecord& record, ServersByToken& servers) {
  const auto learn = [&](const proto::SegmentSource& segment) {
    const auto replicas = ReplicasOf(segment.replicas());
    auto& known = servers[FromProto(segment.token())];
    if (known == nullptr) {
      known = std::make_shared<SegmentServers>(replicas);
    } else {
      known->Learn(replicas);
    }
  };
  if (record.has_segment()) learn(record.segment());
  for (const proto::Piece& piece : record.spread().pieces()) {
    learn(piece.segment());
  }
}

absl::StatusOr<std::shared_ptr<MatrixBytes>> MatrixBytes::Open(
    const proto::MatrixRecord& record, const ServersByToken& servers,
    SegmentReach& reach, KeptSegments& kept) {
  HEARTH_ASSIGN_OR_RETURN(MatrixLayout layout, FromProto(record.layout()));
  const std::int64_t bytes = layout.bytes();
  CrashPoint("worker.map");
  std::shared_ptr<MatrixBytes> source(
      new MatrixBytes(std::move(layout), reach, kept));

  if (record.has_segment()) {
    HEARTH_RETURN_IF_ERROR(source->AddPart(
        record.segment(), 0, source->partition_.block_count(), servers));
    return source;
  }
  if (record.has_spread()) {
    for (const proto::Piece& piece : record.spread().pieces()) {
      HEARTH_RETURN_IF_ERROR(source->AddPart(
          piece.segment(), piece.block_begin(), piece.block_end(), servers));
    }
    return source;
  }
  if (record.has_unmade()) {
    source->unmade_ = true;
    return source;
  }
  if (!record.has_file()) {
    return Error(Reason::kInternal, "open a matrix: it has no source");
  }
  const proto::FileSource& published = record.file();
  HEARTH_ASSIGN_OR_RETURN(source->file_, FileSource::Open(published.path()));
  HEARTH_ASSIGN_OR_RETURN(
      source->published_,
      Recognize(*source->file_, PublishedIdentity(published),
                PublishedSample(published)));
  source->payload_offset_ = published.payload_offset();
  HEARTH_RETURN_IF_ERROR(source->Verify());
  const std::int64_t free_bytes = MemoryLimits().Tightest().free_bytes;
  if (ChooseReading(bytes, free_bytes) == FileReading::kMappedWhole) {
    HEARTH_ASSIGN_OR_RETURN(
        source->file_mapping_,
        source->file_->MapRange(source->payload_offset_, bytes));
  }
  return source;
}

absl::Status MatrixBytes::AddPart(const proto::SegmentSource& segment,
                                  std::int64_t block_begin,
                                  std::int64_t block_end,
                                  const ServersByToken& servers) {
  const std::int64_t last = parts_.empty() ? 0 : parts_.back().block_end;
  if (block_begin != last || block_end <= block_begin ||
      block_end > partition_.block_count()) {
    return Error(Reason::kInternal,
                 "open a matrix: its pieces are not in order");
  }
  const std::int64_t width = BytesOf(layout_.type);
  const RowBlock run = partition_.Joined(block_begin, block_end);
  Part& part = parts_.emplace_back();
  part.begin = run.element_begin * width;
  part.end = run.element_end() * width;
  part.block_begin = block_begin;
  part.block_end = block_end;
  SegmentPlace place = SegmentPlace::From(segment, part.end - part.begin);
  part.token = place.token;
  HEARTH_ASSIGN_OR_RETURN(part.segment, kept_.Map(place));
  if (part.segment != nullptr) return absl::OkStatus();
  place.servers = servers.at(place.token);
  part.elsewhere = std::move(place);
  return absl::OkStatus();
}

// One copy of all pieces, for as long as the matrix lives.
absl::Status MatrixBytes::BringPieces(const std::function<bool()>& cancelled) {
  const std::int64_t bytes = layout_.bytes();
  const Id whole_token = SegmentReach::CopyTokenOf(parts_.front().token);
  auto whole = reach_.MakeOnce(
      whole_token, bytes,
      [&](const OpenSegment& open) -> absl::Status {
        for (const Part& part : parts_) {
          if (part.segment != nullptr) {
            HEARTH_RETURN_IF_ERROR(CopyIntoSegment(
                open, part.begin, part.segment->bytes(), MemoryLimits()));
            continue;
          }
          HEARTH_RETURN_IF_ERROR(reach_.StreamPart(
              open, *part.elsewhere,
              {.from = 0, .to = part.begin, .bytes = part.end - part.begin},
              cancelled));
          brought_ += part.end - part.begin;
        }
        return absl::OkStatus();
      },
      cancelled);
  if (ReasonOf(whole.status()) == Reason::kOutOfMemory) {
    return Error(Reason::kOutOfMemory,
                 absl::StrCat("compute on a matrix in pieces: this operation ",
                              "needs all ", bytes, " bytes of it on one host, ",
                              "too; ", whole.status().message()));
  }
  HEARTH_RETURN_IF_ERROR(whole.status());
  const std::int64_t blocks = partition_.block_count();
  parts_.clear();
  parts_.push_back(
      {.token = {},
       .begin = 0,
       .end = bytes,
       .block_begin = 0,
       .block_end = blocks,
       .segment = std::make_shared<const SealedSegment>(*std::move(whole)),
       .elsewhere = {},
       .fragment = nullptr});
  return absl::OkStatus();
}

absl::Status MatrixBytes::Bring(const std::function<bool()>& cancelled) {
  if (parts_.size() > 1) HEARTH_RETURN_IF_ERROR(BringPieces(cancelled));
  if (!parts_.empty() && parts_.front().elsewhere.has_value()) {
    Part& part = parts_.front();
    std::int64_t streamed = 0;
    HEARTH_ASSIGN_OR_RETURN(
        SealedSegment brought,
        reach_.BringOnce(*part.elsewhere, streamed, cancelled));
    // Not kept mapped: a cache that gives way has to be gone then.
    part.segment = std::make_shared<const SealedSegment>(std::move(brought));
    brought_ += streamed;
    part.elsewhere.reset();
  }
  const std::int64_t bytes = layout_.bytes();
  if (file_.has_value() && !file_mapping_.has_value() &&
      bytes <= limits::kWholeMatrixBytesMax) {
    HEARTH_ASSIGN_OR_RETURN(file_mapping_,
                            file_->MapRange(payload_offset_, bytes));
  }
  return absl::OkStatus();
}

void MatrixBytes::KeepWhatComes() {
  for (Part& part : parts_) {
    if (!part.elsewhere.has_value() || part.begin == part.end) continue;
    if (kept_.IsGone(part.token)) continue;  // its job was cancelled
    part.fragment = Fragment::Open(part.token, part.end - part.begin,
                                   part.block_end - part.block_begin, reach_);
  }
}

absl::StatusOr<std::span<const std::byte>> MatrixBytes::Whole() const {
  if (parts_.size() == 1 && parts_.front().segment != nullptr) {
    return parts_.front().segment->bytes();
  }
  if (file_mapping_.has_value()) return file_mapping_->bytes();
  return Error(
      Reason::kTooLarge,
      absl::StrCat("map all of ", file_->path(), ": it is larger than half of ",
                   "the free memory, and this operation needs it whole"));
}

absl::Status MatrixBytes::Verify() const {
  if (!file_.has_value()) return absl::OkStatus();
  return file_->Verify(published_);
}

BlockReader::BlockReader(const MatrixBytes& source, std::int64_t begin,
                         std::int64_t end, std::function<bool()> cancelled)
    : source_(source),
      end_bytes_(source.EndOf(end - 1)),
      cancelled_(std::move(cancelled)) {
  if (!source.file_.has_value() || source.file_mapping_.has_value()) return;
  const std::int64_t from = source.partition_.Block(begin).element_begin *
                            BytesOf(source.layout_.type);
  windows_.emplace(*source.file_, source.payload_offset_ + from,
                   end_bytes_ - from);
}

const MatrixBytes::Part& BlockReader::PartAt(std::int64_t offset) {
  const std::vector<MatrixBytes::Part>& parts = source_.parts_;
  const auto is_here = [offset](const MatrixBytes::Part& part) {
    return part.begin <= offset && offset < part.end;
  };
  if (!is_here(parts[part_]) && parts.size() > 1) {
    stream_.reset();
    part_ = static_cast<std::size_t>(
        std::upper_bound(parts.begin(), parts.end(), offset,
                         [](std::int64_t at, const MatrixBytes::Part& part) {
                           return at < part.begin;
                         }) -
        parts.begin() - 1);
  }
  return parts[part_];
}

absl::Status BlockReader::VisitPart(
    const RowBlock& block, std::int64_t offset, std::int64_t bytes,
    absl::FunctionRef<absl::Status(const BlockView&)> work) {
  const MatrixBytes::Part& part = PartAt(offset);
  if (part.segment != nullptr) {
    effort_.bytes_mapped += bytes;
    return Native(block, part.segment->bytes().data() + (offset - part.begin),
                  work);
  }
  Fragment* fragment = part.fragment.get();
  const std::int64_t number = block.index - part.block_begin;
  if (fragment != nullptr && fragment->Has(number)) {
    effort_.bytes_mapped += bytes;
    return Native(block, fragment->At(offset - part.begin, bytes).data(), work);
  }
  const bool is_first = stream_ == nullptr || stream_at_ != offset;
  const absl::Time asked_at = absl::Now();
  if (is_first) {
    std::int64_t end = std::min(end_bytes_, part.end);
    if (fragment != nullptr) {
      // Up to the next one that is here; this one may have come just now.
      const std::int64_t known =
          fragment->FirstOf(number + 1, part.block_end - part.block_begin);
      end = std::min(end, source_.EndOf(part.block_begin + known - 1));
    }
    stream_ =
        source_.reach_.Read(*part.elsewhere, offset - part.begin, end - offset,
                            bytes, {.cancelled = cancelled_});
    stream_at_ = offset;
  }
  bool is_kept = false;
  std::byte* into = PlaceFor(part, offset, bytes, is_kept);
  HEARTH_RETURN_IF_ERROR(
      stream_->Next({into, static_cast<std::size_t>(bytes)}));
  stream_at_ += bytes;
  if (is_first) pace_ = {bytes, absl::Now() - asked_at};
  if (is_kept) {
    fragment->Publish(number);
    effort_.bytes_kept += bytes;
  }
  effort_.bytes_streamed += bytes;
  return Native(block, into, work);
}

std::byte* BlockReader::PlaceFor(const MatrixBytes::Part& part,
                                 std::int64_t offset, std::int64_t bytes,
                                 bool& is_kept) {
  if (part.fragment != nullptr) {
    const auto place = part.fragment->Take(offset - part.begin, bytes);
    is_kept = !place.empty();
    if (is_kept) return place.data();
  }
  return streamed_.Get(bytes);
}

absl::Status BlockReader::Visit(
    const RowBlock& block,
    absl::FunctionRef<absl::Status(const BlockView&)> work) {
  const std::int64_t element_bytes = BytesOf(source_.layout_.type);
  const std::int64_t offset = block.element_begin * element_bytes;
  const std::int64_t bytes = block.element_count * element_bytes;
  if (source_.unmade_) return work({.block = block, .data = nullptr});
  if (!source_.parts_.empty()) return VisitPart(block, offset, bytes, work);
  effort_.bytes_mapped += bytes;
  if (!windows_.has_value()) {
    const Mapping& mapping = *source_.file_mapping_;
    return RunGuarded(mapping, source_.file_->path(), [&] {
      return Native(block, mapping.bytes().data() + offset, work);
    });
  }
  if (bytes == 0) return Native(block, nullptr, work);
  HEARTH_ASSIGN_OR_RETURN(const auto window, windows_->Next(bytes));
  return RunGuarded(windows_->window(), source_.file_->path(),
                    [&] { return Native(block, window.data(), work); });
}

std::int64_t BlockReader::SideBySide(std::int64_t begin,
                                     std::int64_t end) const {
  if (windows_.has_value() ||
      source_.layout_.byte_order != ByteOrder::kNative) {
    return 1;
  }
  if (source_.parts_.empty()) return end - begin;
  const auto part =
      std::upper_bound(source_.parts_.begin(), source_.parts_.end(), begin,
                       [](std::int64_t block, const MatrixBytes::Part& one) {
                         return block < one.block_end;
                       });
  if (part->segment == nullptr) return 1;
  return std::min(end, part->block_end) - begin;
}

absl::Status BlockReader::Native(
    const RowBlock& block, const std::byte* data,
    absl::FunctionRef<absl::Status(const BlockView&)> work) {
  const MatrixLayout& layout = source_.layout_;
  if (layout.byte_order == ByteOrder::kForeign && block.element_count > 0) {
    const std::int64_t bytes = block.element_count * BytesOf(layout.type);
    std::byte* converted = converted_.Get(bytes);
    SwapBytes(data, converted, block.element_count, layout.type);
    effort_.bytes_converted += bytes;
    data = converted;
  }
  return work({.block = block, .data = data});
}

}  // namespace hearth::worker
