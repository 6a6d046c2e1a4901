#include "worker/service/matrix_source.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/crash_point.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/matrix/byte_order.h"
#include "hearth/shm/file_sample.h"
#include "hearth/shm/memory_limits.h"
#include "hearth/shm/sigbus_guard.h"
#include "hearth/transport/control/codec.h"

namespace hearth::worker {
namespace {

FileIdentity IdentityOf(const proto::FileSource& file) {
  return {file.device(), file.inode(), file.size(), file.mtime_ns()};
}

FileSample PublishedSample(const proto::FileSource& file) {
  return {.seed = file.sample_seed(),
          .checksums = {file.sample_checksums().begin(),
                        file.sample_checksums().end()}};
}

}  // namespace

absl::StatusOr<std::shared_ptr<MatrixSource>> MatrixSource::Open(
    const proto::MatrixRecord& record, SegmentReach& reach) {
  HEARTH_ASSIGN_OR_RETURN(MatrixLayout layout, FromProto(record.layout()));
  const std::int64_t bytes = layout.bytes();
  CrashPoint("worker.map");
  std::shared_ptr<MatrixSource> source(
      new MatrixSource(std::move(layout), reach));

  if (record.has_segment()) {
    SegmentPlace place = SegmentPlace::From(record.segment(), bytes);
    HEARTH_ASSIGN_OR_RETURN(std::optional<FetchedSegment> fetched,
                            reach.Fetch(place));
    if (!fetched.has_value()) {
      place.servers = std::make_shared<SegmentServers>(place.replicas);
      source->servers_ = place.servers;
      source->elsewhere_ = std::move(place);
      return source;
    }
    HEARTH_ASSIGN_OR_RETURN(
        source->segment_, SealedSegment::Adopt(std::move(fetched->fd), bytes));
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
  HEARTH_ASSIGN_OR_RETURN(source->published_,
                          Recognize(*source->file_, IdentityOf(published),
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

void MatrixSource::Learn(const proto::MatrixRecord& record) const {
  if (servers_ == nullptr || !record.has_segment()) return;
  servers_->Learn(ReplicasOf(record.segment().replicas()));
}

absl::Status MatrixSource::Bring(const std::function<bool()>& cancelled) {
  if (elsewhere_.has_value()) {
    std::int64_t streamed = 0;
    HEARTH_ASSIGN_OR_RETURN(segment_,
                            reach_.BringOnce(*elsewhere_, streamed, cancelled));
    brought_ += streamed;
    elsewhere_.reset();
  }
  const std::int64_t bytes = layout_.bytes();
  if (file_.has_value() && !file_mapping_.has_value() &&
      bytes <= limits::kWholeMatrixBytesMax) {
    HEARTH_ASSIGN_OR_RETURN(file_mapping_,
                            file_->MapRange(payload_offset_, bytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::span<const std::byte>> MatrixSource::Whole() const {
  if (segment_.has_value()) return segment_->bytes();
  if (file_mapping_.has_value()) return file_mapping_->bytes();
  return Error(
      Reason::kTooLarge,
      absl::StrCat("map all of ", file_->path(), ": it is larger than half of ",
                   "the free memory, and this operation needs it whole"));
}

absl::Status MatrixSource::Verify() const {
  if (!file_.has_value()) return absl::OkStatus();
  return file_->Verify(published_);
}

BlockReader::BlockReader(const MatrixSource& source, std::int64_t begin,
                         std::int64_t end, std::function<bool()> cancelled)
    : source_(source) {
  if (source.elsewhere_.has_value()) {
    const std::int64_t width = BytesOf(source.layout_.type);
    const RowBlock first = source.partition_.Block(begin);
    const std::int64_t from = first.element_begin * width;
    stream_ = source.reach_.Read(
        *source.elsewhere_, from,
        source.partition_.Block(end - 1).element_end() * width - from,
        first.element_count * width, {.cancelled = std::move(cancelled)});
    return;
  }
  if (!source.file_.has_value() || source.file_mapping_.has_value()) return;
  const std::int64_t element_bytes = BytesOf(source.layout_.type);
  const std::int64_t from = source.partition_.Block(begin).element_begin;
  const std::int64_t to = source.partition_.Block(end - 1).element_end();
  windows_.emplace(*source.file_, source.payload_offset_ + from * element_bytes,
                   (to - from) * element_bytes);
}

absl::Status BlockReader::Visit(
    const RowBlock& block,
    absl::FunctionRef<absl::Status(const BlockView&)> work) {
  const std::int64_t element_bytes = BytesOf(source_.layout_.type);
  const std::int64_t offset = block.element_begin * element_bytes;
  const std::int64_t bytes = block.element_count * element_bytes;
  if (source_.unmade_) return work({.block = block, .data = nullptr});
  if (stream_ != nullptr) {
    std::byte* into = streamed_.Get(bytes);
    HEARTH_RETURN_IF_ERROR(
        stream_->Next({into, static_cast<std::size_t>(bytes)}));
    effort_.bytes_streamed += bytes;
    return Native(block, into, work);
  }
  if (source_.segment_.has_value()) {
    effort_.bytes_mapped += bytes;
    return Native(block, source_.segment_->bytes().data() + offset, work);
  }
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

bool BlockReader::IsContiguous() const {
  return stream_ == nullptr && !windows_.has_value() &&
         source_.layout_.byte_order == ByteOrder::kNative;
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
