// Matrices of a cluster, or rows of them, wherever they lie.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cluster_state.h"
#include "client/handles.h"
#include "client/hearth.h"
#include "client/mapped_bytes.h"
#include "client/resolve.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/matrix/partition.h"
#include "hearth/matrix/reference.h"
#include "hearth/matrix/row_bytes.h"
#include "hearth/shm/file_sample.h"
#include "hearth/shm/segment.h"
#include "hearth/transport/control/codec.h"
#include "hearth/transport/reach/published_file.h"

namespace hearth {
namespace {

// Handed on at a time.
constexpr std::int64_t kSomeBytes = std::int64_t{4} << 20;

struct Found {
  std::string name;
  proto::MatrixRecord record;
  MatrixLayout layout;
};

absl::StatusOr<Found> Find(ClusterState& state, absl::string_view name) {
  HEARTH_RETURN_IF_ERROR(CheckMatrixName(name));
  HEARTH_ASSIGN_OR_RETURN(auto info,
                          state.coordinator().Get(std::string(name)));
  if (info.has_lost()) return FromProto(info.lost());
  Found found{std::string(name), std::move(*info.mutable_record()), {}};
  HEARTH_ASSIGN_OR_RETURN(found.layout, FromProto(found.record.layout()));
  return found;
}

// Of names that are published anew as fast as they are read.
constexpr int kAttemptsMax = 16;

// What `read` makes of the matrix. Who publishes the name anew, or removes it,
// between the look-up and the reading takes the bytes away that were found:
// then what has the name now is read.
template <class Read>
auto ReadFound(ClusterState& state, absl::string_view name, Read read)
    -> decltype(read(std::declval<const Found&>())) {
  std::string before;
  for (int attempt = 1;; ++attempt) {
    HEARTH_ASSIGN_OR_RETURN(const Found found, Find(state, name));
    auto result = read(found);
    std::string now = found.record.SerializeAsString();
    const bool is_gone = ReasonOf(result.status()) == Reason::kSegmentGone;
    if (!is_gone || now == before || attempt == kAttemptsMax) return result;
    before = std::move(now);
  }
}

// A file of the catalog, if it is what was published.
absl::StatusOr<FileSource> OpenPublished(const proto::FileSource& file) {
  HEARTH_ASSIGN_OR_RETURN(FileSource source, FileSource::Open(file.path()));
  HEARTH_RETURN_IF_ERROR(
      Recognize(source, PublishedIdentity(file), PublishedSample(file))
          .status());
  return source;
}

absl::StatusOr<Matrix> MapPublished(const Found& found) {
  const proto::FileSource& file = found.record.file();
  HEARTH_ASSIGN_OR_RETURN(FileSource source, OpenPublished(file));
  return client::MapFile(
      {std::move(source), found.layout, file.payload_offset()});
}

absl::Status HandOn(std::span<const std::byte> bytes,
                    const Cluster::Sink& sink) {
  while (!bytes.empty()) {
    const auto some = bytes.first(
        std::min(bytes.size(), static_cast<std::size_t>(kSomeBytes)));
    HEARTH_RETURN_IF_ERROR(sink(some));
    bytes = bytes.subspan(some.size());
  }
  return absl::OkStatus();
}

// Bytes [begin, end) of a segment of `bytes`, of the matrix `name`.
absl::Status ReadSegment(ClusterState& state, const std::string& name,
                         const proto::SegmentSource& segment,
                         std::int64_t bytes, std::int64_t begin,
                         std::int64_t end, const Cluster::Sink& sink) {
  SegmentPlace place = SegmentPlace::From(segment, bytes);
  place.servers = std::make_shared<SegmentServers>(
      place.replicas, state.FinderOf(name, segment));
  HEARTH_ASSIGN_OR_RETURN(auto fetched, state.reach().Fetch(place));
  if (fetched.has_value()) {
    HEARTH_ASSIGN_OR_RETURN(
        const SealedSegment sealed,
        SealedSegment::Adopt(std::move(fetched->fd), bytes));
    return HandOn(sealed.bytes().subspan(static_cast<std::size_t>(begin),
                                         static_cast<std::size_t>(end - begin)),
                  sink);
  }
  const auto stream = state.reach().Read(place, begin, end - begin, kSomeBytes);
  std::vector<std::byte> some;
  for (std::int64_t at = begin; at < end; at += std::ssize(some)) {
    some.resize(static_cast<std::size_t>(std::min(kSomeBytes, end - at)));
    HEARTH_RETURN_IF_ERROR(stream->Next(some));
    HEARTH_RETURN_IF_ERROR(sink(some));
  }
  return absl::OkStatus();
}

// Bytes `range` of the matrix, from the segments that have them.
absl::Status ReadRange(ClusterState& state, const Found& found, ByteRange range,
                       const Cluster::Sink& sink) {
  if (found.record.has_segment()) {
    return ReadSegment(state, found.name, found.record.segment(),
                       found.layout.bytes(), range.begin, range.end, sink);
  }
  const Partition partition(found.layout);
  const std::int64_t width = BytesOf(found.layout.type);
  for (const proto::Piece& piece : found.record.spread().pieces()) {
    if (piece.block_begin() < 0 || piece.block_begin() >= piece.block_end() ||
        piece.block_end() > partition.block_count()) {
      return Error(Reason::kInternal, "read a matrix: a piece has no place");
    }
    const RowBlock run =
        partition.Joined(piece.block_begin(), piece.block_end());
    const std::int64_t from = run.element_begin * width;
    const std::int64_t to = run.element_end() * width;
    const std::int64_t begin = std::max(range.begin, from);
    const std::int64_t end = std::min(range.end, to);
    if (begin >= end) continue;
    HEARTH_RETURN_IF_ERROR(ReadSegment(state, found.name, piece.segment(),
                                       to - from, begin - from, end - from,
                                       sink));
  }
  return absl::OkStatus();
}

absl::StatusOr<Matrix> CopyHere(ClusterState& state, const Found& found,
                                ByteRange range, MatrixLayout layout) {
  HEARTH_ASSIGN_OR_RETURN(
      OpenSegment open,
      OpenSegment::Create(range.end - range.begin, MemoryLimits()));
  std::int64_t done = 0;
  HEARTH_RETURN_IF_ERROR(ReadRange(state, found, range, [&](auto some) {
    const absl::Status written = open.WriteAt(done, some);
    done += std::ssize(some);
    return written;
  }));
  HEARTH_ASSIGN_OR_RETURN(SealedSegment sealed, open.Seal());
  return Matrix(std::make_shared<const MappedBytes>(std::move(layout),
                                                    std::move(sealed)));
}

}  // namespace

absl::StatusOr<Matrix> Cluster::Get(absl::string_view name) const {
  return ReadFound(
      *state_, name, [&](const Found& found) -> absl::StatusOr<Matrix> {
        if (found.record.has_segment()) {
          HEARTH_ASSIGN_OR_RETURN(
              auto bytes, state_->Map(found.layout, found.record.segment(),
                                      state_->FinderOf(
                                          found.name, found.record.segment())));
          return Matrix(std::move(bytes));
        }
        if (!found.record.has_spread()) return MapPublished(found);
        auto copy =
            CopyHere(*state_, found, {0, found.layout.bytes()}, found.layout);
        if (ReasonOf(copy.status()) != Reason::kOutOfMemory) return copy;
        return Error(
            Reason::kOutOfMemory,
            absl::StrCat("get \"", name, "\" whole: it lies in pieces on ",
                         "several hosts, and this one has no room for all ",
                         "of it; take some rows. ", copy.status().message()));
      });
}

absl::StatusOr<std::optional<Matrix>> Cluster::Here(
    absl::string_view name) const {
  using Here = absl::StatusOr<std::optional<Matrix>>;
  return ReadFound(*state_, name, [&](const Found& found) -> Here {
    if (found.record.has_spread()) return std::nullopt;
    if (found.record.has_file()) return MapPublished(found);
    const std::int64_t bytes = found.layout.bytes();
    HEARTH_ASSIGN_OR_RETURN(
        auto fetched, state_->reach().Fetch(
                          SegmentPlace::From(found.record.segment(), bytes)));
    if (!fetched.has_value()) return std::nullopt;
    HEARTH_ASSIGN_OR_RETURN(
        SealedSegment sealed,
        SealedSegment::Adopt(std::move(fetched->fd), bytes));
    return Matrix(
        std::make_shared<const MappedBytes>(found.layout, std::move(sealed)));
  });
}

absl::StatusOr<Matrix> Cluster::Rows(absl::string_view name, std::int64_t begin,
                                     std::int64_t end) const {
  return ReadFound(
      *state_, name, [&](const Found& found) -> absl::StatusOr<Matrix> {
        HEARTH_ASSIGN_OR_RETURN(const ByteRange range,
                                BytesOfRows(found.layout, begin, end));
        MatrixLayout layout = found.layout;
        if (!layout.shape.empty()) layout.shape[0] = end - begin;
        if (!found.record.has_file()) {
          return CopyHere(*state_, found, range, std::move(layout));
        }
        const proto::FileSource& file = found.record.file();
        HEARTH_ASSIGN_OR_RETURN(FileSource source, OpenPublished(file));
        return client::MapFile({std::move(source), std::move(layout),
                                file.payload_offset() + range.begin});
      });
}

absl::Status Cluster::Read(absl::string_view name, std::int64_t begin,
                           std::int64_t end, const Sink& sink) const {
  HEARTH_ASSIGN_OR_RETURN(const Found found, Find(*state_, name));
  HEARTH_ASSIGN_OR_RETURN(const ByteRange range,
                          BytesOfRows(found.layout, begin, end));
  if (!found.record.has_file()) {
    return ReadRange(*state_, found, range, sink);
  }
  HEARTH_ASSIGN_OR_RETURN(const Matrix matrix, MapPublished(found));
  return HandOn(
      matrix.bytes().subspan(static_cast<std::size_t>(range.begin),
                             static_cast<std::size_t>(range.end - range.begin)),
      sink);
}

}  // namespace hearth
