#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/compute/operation.h"
#include "hearth/matrix/partition.h"
#include "hearth/shm/file_source.h"
#include "hearth/shm/segment.h"
#include "hearth/shm/window_reader.h"
#include "hearth/transport/reach/segment_reach.h"
#include "protos/matrix.pb.h"
#include "worker/segments/fragment.h"
#include "worker/segments/kept_segments.h"

namespace hearth::worker {

// What reading some row blocks cost.
struct ReadEffort {
  std::int64_t bytes_mapped = 0;
  std::int64_t bytes_streamed = 0;  // from another host
  std::int64_t bytes_kept = 0;      // of these: they are on this one now
  std::int64_t bytes_copied = 0;
  std::int64_t bytes_converted = 0;  // from foreign byte order
};

// So long the first bytes of a stream took to come.
struct StreamPace {
  std::int64_t bytes = 0;
  absl::Duration took;
};

// Who serves each segment to other hosts, by the segment's token.
using ServersByToken = std::map<Id, std::shared_ptr<SegmentServers>>;
// What `record` tells of its segments, in here too, and at once with whoever
// reads one of them.
void Learn(const proto::MatrixRecord& record, ServersByToken& servers);

// A matrix's bytes as this worker can reach them: sealed segments that a keeper
// handed over, one or one for each piece; a file read in place; or row blocks
// that another host streams.
//
// Kind:    resource, shared by every job and thread that reads it.
// Threads: const methods from any.
class MatrixBytes {
 public:
  // `servers` knows all segments of `record`. `reach` and `kept` outlive it.
  static absl::StatusOr<std::shared_ptr<MatrixBytes>> Open(
      const proto::MatrixRecord& record, const ServersByToken& servers,
      SegmentReach& reach, KeptSegments& kept);

  // Has all bytes here, streamed into memory of this host if need be.
  absl::Status Bring(const std::function<bool()>& cancelled);
  // What comes from another host block by block stays on this one, for the jobs
  // to come.
  void KeepWhatComes();
  // What Bring has streamed since this was last asked.
  std::int64_t TakeBroughtBytes() { return brought_.exchange(0); }

  const MatrixLayout& layout() const { return layout_; }
  const Partition& partition() const { return partition_; }
  bool from_file() const { return file_.has_value(); }

  // All bytes, mapped, once Bring was called; TOO_LARGE for a file that is read
  // by windows only.
  absl::StatusOr<std::span<const std::byte>> Whole() const;

  // Ok while the file is still what was published; always, for a segment.
  absl::Status Verify() const;

 private:
  friend class BlockReader;
  MatrixBytes(MatrixLayout layout, SegmentReach& reach, KeptSegments& kept)
      : reach_(reach),
        kept_(kept),
        layout_(std::move(layout)),
        partition_(layout_) {}

  SegmentReach& reach_;
  KeptSegments& kept_;
  MatrixLayout layout_;
  Partition partition_;
  bool unmade_ = false;  // there are no bytes to read yet
  // A segment of the matrix, of whole row blocks.
  struct Part {
    Id token;                // what its bytes are named by
    std::int64_t begin = 0;  // bytes of the matrix
    std::int64_t end = 0;
    std::int64_t block_begin = 0;
    std::int64_t block_end = 0;
    std::shared_ptr<const SealedSegment> segment;  // here
    std::optional<SegmentPlace> elsewhere;         // else
    std::shared_ptr<Fragment> fragment;            // of `elsewhere`, or null
  };
  absl::Status AddPart(const proto::SegmentSource& segment,
                       std::int64_t block_begin, std::int64_t block_end,
                       const ServersByToken& servers);
  absl::Status BringPieces(const std::function<bool()>& cancelled);
  // In bytes of the matrix.
  std::int64_t EndOf(std::int64_t block) const {
    return partition_.Block(block).element_end() * BytesOf(layout_.type);
  }

  std::vector<Part> parts_;  // of a matrix in memory, in order
  std::atomic<std::int64_t> brought_ = 0;
  std::optional<FileSource> file_;
  std::optional<Mapping> file_mapping_;  // absent: read by windows
  FileIdentity published_;
  std::int64_t payload_offset_ = 0;
};

// Reads consecutive row blocks of a source, for one task.
//
// Kind: resource. Threads: one.
class BlockReader {
 public:
  // Blocks [begin, end). `cancelled` is asked while nothing comes from another
  // host.
  BlockReader(const MatrixBytes& source, std::int64_t begin, std::int64_t end,
              std::function<bool()> cancelled);

  // Calls `work` with the elements of `block`, in native byte order; blocks
  // must be asked for in order. A file that changes while it is read becomes
  // FILE_CHANGED, whatever `work` made of it.
  absl::Status Visit(const RowBlock& block,
                     absl::FunctionRef<absl::Status(const BlockView&)> work);

  // How many blocks of [begin, end) lie side by side from the first on, so that
  // Visit may be given them as one; at least 1.
  std::int64_t SideBySide(std::int64_t begin, std::int64_t end) const;

  const ReadEffort& effort() const { return effort_; }

  // Once for each stream that was opened.
  std::optional<StreamPace> TakePace() {
    return std::exchange(pace_, std::nullopt);
  }

 private:
  const MatrixBytes::Part& PartAt(std::int64_t offset);
  // Where the next bytes that come are put: kept or, if that can't be, for the
  // moment.
  std::byte* PlaceFor(const MatrixBytes::Part& part, std::int64_t offset,
                      std::int64_t bytes, bool& is_kept);
  absl::Status VisitPart(
      const RowBlock& block, std::int64_t offset, std::int64_t bytes,
      absl::FunctionRef<absl::Status(const BlockView&)> work);
  absl::Status Native(const RowBlock& block, const std::byte* data,
                      absl::FunctionRef<absl::Status(const BlockView&)> work);

  const MatrixBytes& source_;
  const std::int64_t end_bytes_;
  const std::function<bool()> cancelled_;
  std::optional<WindowReader> windows_;
  std::size_t part_ = 0;                // that was read last
  std::unique_ptr<BulkStream> stream_;  // of that part, if it is elsewhere
  std::int64_t stream_at_ = -1;         // the offset that comes next by it
  std::optional<StreamPace> pace_;
  Scratch streamed_;
  Scratch converted_;
  ReadEffort effort_;
};

}  // namespace hearth::worker
