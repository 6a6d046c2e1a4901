#include "hearth/transport/reach/matrix_reader.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/mutex.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/matrix/partition.h"
#include "hearth/matrix/row_bytes.h"
#include "hearth/object/call_context.h"
#include "hearth/shm/file_source.h"
#include "hearth/shm/memory_limits.h"
#include "hearth/transport/control/codec.h"
#include "hearth/transport/reach/published_file.h"

namespace hearth {
namespace {

// Streamed at a time: what is on its way stays in a cache.
constexpr std::int64_t kSomeBytes = std::int64_t{1} << 20;

// A stretch of the matrix that lies as one: mapped here, or elsewhere.
struct Part {
  ByteRange range;  // of the matrix
  std::span<const std::byte> mapped = {};
  std::shared_ptr<const void> holder = nullptr;  // of `mapped`; null: elsewhere
  SegmentPlace place = {};

  bool is_here() const { return holder != nullptr; }
  // Bytes [begin, end) of the matrix, which lie in this part and here.
  std::span<const std::byte> Here(ByteRange of) const {
    return mapped.subspan(static_cast<std::size_t>(of.begin - range.begin),
                          static_cast<std::size_t>(of.count()));
  }
};

ByteRange Overlap(ByteRange a, ByteRange b) {
  const std::int64_t begin = std::max(a.begin, b.begin);
  return {begin, std::max(begin, std::min(a.end, b.end))};
}

// A published file, if it is there and what was published.
absl::StatusOr<Part> PartOfFile(const proto::FileSource& file,
                                std::int64_t bytes) {
  struct Held {
    FileSource source;
    Mapping mapping;
  };
  HEARTH_ASSIGN_OR_RETURN(FileSource source, FileSource::Open(file.path()));
  HEARTH_RETURN_IF_ERROR(
      Recognize(source, PublishedIdentity(file), PublishedSample(file))
          .status());
  HEARTH_ASSIGN_OR_RETURN(Mapping mapping,
                          source.MapRange(file.payload_offset(), bytes));
  auto held =
      std::make_shared<Held>(Held{std::move(source), std::move(mapping)});
  return Part{
      .range = {0, bytes}, .mapped = held->mapping.bytes(), .holder = held};
}

// What ends a read: the call that makes it.
BulkOptions UntilTheCallEnds() {
  CallContext* const call = CallContext::Current();
  if (call == nullptr) return {};
  return {.cancelled = [call] { return call->cancelled(); }};
}

class MatrixReader final : public MatrixSource {
 public:
  // `find` and `reach` are the opener's.
  MatrixReader(std::shared_ptr<MatrixOpener> opener,
               const MatrixOpener::Find& find, SegmentReach& reach,
               std::string name, MatrixLayout layout)
      : opener_(std::move(opener)),
        find_(find),
        reach_(reach),
        name_(std::move(name)),
        layout_(std::move(layout)) {}

  absl::Status Locate(const proto::MatrixRecord& record) {
    HEARTH_ASSIGN_OR_RETURN(parts_, PartsOf(record));
    return absl::OkStatus();
  }

  const MatrixLayout& layout() const override { return layout_; }

  absl::StatusOr<RowView> Rows(std::int64_t begin, std::int64_t end) override {
    HEARTH_ASSIGN_OR_RETURN(const ByteRange range,
                            BytesOfRows(layout_, begin, end));
    for (const Part& part : parts_) {
      const bool is_within =
          part.range.begin <= range.begin && range.end <= part.range.end;
      if (!is_within || !part.is_here()) continue;
      mapped_ += range.count();
      return RowView{part.Here(range), part.holder};
    }
    HEARTH_RETURN_IF_ERROR(MemoryLimits().Reserve(
        range.count(), absl::StrCat("read rows [", begin, ", ", end,
                                    ") of matrix ", Quoted(name_))));
    std::shared_ptr<std::byte[]> memory(
        new std::byte[static_cast<std::size_t>(range.count())]);
    const std::span<std::byte> into(memory.get(),
                                    static_cast<std::size_t>(range.count()));
    for (const Part& part : parts_) {
      const ByteRange of = Overlap(part.range, range);
      if (of.count() == 0) continue;
      const auto place =
          into.subspan(static_cast<std::size_t>(of.begin - range.begin),
                       static_cast<std::size_t>(of.count()));
      if (part.is_here()) {
        std::memcpy(place.data(), part.Here(of).data(), place.size());
        copied_ += of.count();
        continue;
      }
      const auto stream = StreamOf(part, of);
      for (std::size_t at = 0; at < place.size();) {
        const auto some = place.subspan(
            at, std::min(place.size() - at, std::size_t{kSomeBytes}));
        HEARTH_RETURN_IF_ERROR(Next(*stream, some));
        at += some.size();
      }
    }
    return RowView{into, std::move(memory)};
  }

  absl::Status ForEachRows(std::int64_t begin, std::int64_t end,
                           const OnRows& on_rows) override {
    HEARTH_ASSIGN_OR_RETURN(const ByteRange range,
                            BytesOfRows(layout_, begin, end));
    if (range.count() == 0) return absl::OkStatus();
    const std::int64_t row_bytes = range.count() / (end - begin);
    const Partition partition(layout_);
    const std::int64_t block_bytes =
        partition.Block(0).element_count * BytesOf(layout_.type);
    const std::int64_t rows_at_once =
        std::max<std::int64_t>(1, block_bytes / row_bytes);
    for (const Part& part : parts_) {
      const ByteRange of = Overlap(part.range, range);
      if (of.count() == 0) continue;
      // Pieces end between rows, but for rows of more than a block.
      if (of.begin % row_bytes != 0 || of.end % row_bytes != 0) {
        return EachAlone(begin, end, on_rows);
      }
      HEARTH_RETURN_IF_ERROR(
          EachOf(part, of, rows_at_once, row_bytes, on_rows));
    }
    return absl::OkStatus();
  }

  MatrixTraffic traffic() const override {
    return {.mapped = mapped_, .streamed = streamed_, .copied = copied_};
  }

 private:
  absl::StatusOr<std::vector<Part>> PartsOf(const proto::MatrixRecord& record) {
    std::vector<Part> parts;
    if (record.has_file()) {
      HEARTH_ASSIGN_OR_RETURN(parts.emplace_back(),
                              PartOfFile(record.file(), layout_.bytes()));
    } else if (record.has_segment()) {
      HEARTH_ASSIGN_OR_RETURN(parts.emplace_back(),
                              PartOf(record.segment(), {0, layout_.bytes()}));
    } else if (record.has_spread()) {
      const Partition partition(layout_);
      const std::int64_t width = BytesOf(layout_.type);
      for (const proto::Piece& piece : record.spread().pieces()) {
        if (piece.block_begin() < 0 ||
            piece.block_begin() >= piece.block_end() ||
            piece.block_end() > partition.block_count()) {
          return Error(Reason::kInternal,
                       "open a matrix: a piece has no place");
        }
        const RowBlock run =
            partition.Joined(piece.block_begin(), piece.block_end());
        HEARTH_ASSIGN_OR_RETURN(
            parts.emplace_back(),
            PartOf(piece.segment(),
                   {run.element_begin * width, run.element_end() * width}));
      }
    } else {
      return Error(Reason::kNameUnknown,
                   absl::StrCat("open matrix ", Quoted(name_),
                                ": it is not made yet; wait for it"));
    }
    return parts;
  }

  absl::StatusOr<Part> PartOf(const proto::SegmentSource& segment,
                              ByteRange range) {
    Part part{.range = range,
              .place = SegmentPlace::From(segment, range.count())};
    HEARTH_ASSIGN_OR_RETURN(auto fetched, reach_.Fetch(part.place));
    if (!fetched.has_value()) {
      part.place.servers = std::make_shared<SegmentServers>(
          part.place.replicas,
          [this, token = part.place.token]()
              -> absl::StatusOr<std::vector<ReplicaPlace>> {
            HEARTH_ASSIGN_OR_RETURN(const proto::MatrixInfo info, find_(name_));
            return ReplicasIn(info, token);
          });
      return part;
    }
    HEARTH_ASSIGN_OR_RETURN(
        SealedSegment sealed,
        SealedSegment::Adopt(std::move(fetched->fd), range.count()));
    const auto held = std::make_shared<const SealedSegment>(std::move(sealed));
    part.mapped = held->bytes();
    part.holder = held;
    return part;
  }

  std::unique_ptr<BulkStream> StreamOf(const Part& part, ByteRange of) {
    return reach_.Read(part.place, of.begin - part.range.begin, of.count(),
                       kSomeBytes, UntilTheCallEnds());
  }
  absl::Status Next(BulkStream& stream, std::span<std::byte> into) {
    HEARTH_RETURN_IF_ERROR(stream.Next(into));
    streamed_ += std::ssize(into);
    return absl::OkStatus();
  }

  absl::Status EachOf(const Part& part, ByteRange of, std::int64_t rows_at_once,
                      std::int64_t row_bytes, const OnRows& on_rows) {
    const std::unique_ptr<BulkStream> stream =
        part.is_here() ? nullptr : StreamOf(part, of);
    std::vector<std::byte> memory;
    for (std::int64_t at = of.begin; at < of.end;) {
      const ByteRange some{at, std::min(at + rows_at_once * row_bytes, of.end)};
      std::span<const std::byte> rows;
      if (part.is_here()) {
        rows = part.Here(some);
        mapped_ += some.count();
      } else {
        memory.resize(static_cast<std::size_t>(some.count()));
        for (std::size_t done = 0; done < memory.size();) {
          const auto piece = std::span(memory).subspan(
              done, std::min(memory.size() - done, std::size_t{kSomeBytes}));
          HEARTH_RETURN_IF_ERROR(Next(*stream, piece));
          done += piece.size();
        }
        rows = memory;
      }
      HEARTH_RETURN_IF_ERROR(on_rows(at / row_bytes, rows));
      at = some.end;
    }
    return absl::OkStatus();
  }

  absl::Status EachAlone(std::int64_t begin, std::int64_t end,
                         const OnRows& on_rows) {
    for (std::int64_t row = begin; row < end; ++row) {
      HEARTH_ASSIGN_OR_RETURN(const RowView view, Rows(row, row + 1));
      HEARTH_RETURN_IF_ERROR(on_rows(row, view.bytes));
    }
    return absl::OkStatus();
  }

  const std::shared_ptr<MatrixOpener> opener_;
  const MatrixOpener::Find& find_;
  SegmentReach& reach_;
  const std::string name_;
  const MatrixLayout layout_;
  std::vector<Part> parts_;  // in the matrix's order
  std::atomic<std::int64_t> mapped_ = 0;
  std::atomic<std::int64_t> streamed_ = 0;
  std::atomic<std::int64_t> copied_ = 0;
};

}  // namespace

std::shared_ptr<MatrixOpener> MatrixOpener::Make(Find find,
                                                 const Address& own_keeper,
                                                 TcpSecurityOptions security) {
  return std::shared_ptr<MatrixOpener>(
      new MatrixOpener(std::move(find), own_keeper, std::move(security)));
}

absl::StatusOr<std::shared_ptr<MatrixSource>> MatrixOpener::Open(
    const std::string& name) {
  HEARTH_ASSIGN_OR_RETURN(const proto::MatrixInfo info, find_(name));
  if (info.has_lost()) return FromProto(info.lost());
  HEARTH_ASSIGN_OR_RETURN(MatrixLayout layout,
                          FromProto(info.record().layout()));
  auto reader = std::make_shared<MatrixReader>(shared_from_this(), find_,
                                               reach_, name, std::move(layout));
  HEARTH_RETURN_IF_ERROR(reader->Locate(info.record()));
  return reader;
}

}  // namespace hearth
