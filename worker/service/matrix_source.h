#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/compute/operation.h"
#include "hearth/matrix/partition.h"
#include "hearth/shm/file_source.h"
#include "hearth/shm/segment.h"
#include "hearth/shm/window_reader.h"
#include "hearth/transport/handover/handover_client.h"
#include "protos/matrix.pb.h"

namespace hearth::worker {

// What reading some row blocks cost.
struct ReadEffort {
  std::int64_t bytes_mapped = 0;
  std::int64_t bytes_copied = 0;
  std::int64_t bytes_converted = 0;  // from foreign byte order
};

// A matrix's bytes as this worker can reach them: a sealed segment that its
// keeper handed over, or a file read in place.
//
// Kind:    resource, shared by every job and thread that reads it.
// Threads: const methods from any.
class MatrixSource {
 public:
  // Whether a file is mapped whole: where memory allows it, or always.
  enum class MapsWhole { kWhereItFits, kAlways };
  static absl::StatusOr<std::shared_ptr<const MatrixSource>> Open(
      const proto::MatrixRecord& record, HandoverClient& keeper,
      MapsWhole maps_whole = MapsWhole::kWhereItFits);

  const MatrixLayout& layout() const { return layout_; }
  const Partition& partition() const { return partition_; }
  bool from_file() const { return file_.has_value(); }

  // All bytes, mapped; FILE_CHANGED for a file that is read by windows only.
  absl::StatusOr<std::span<const std::byte>> Whole() const;

  // Ok while the file is still what was published; always, for a segment.
  absl::Status Verify() const;

 private:
  friend class BlockReader;
  MatrixSource(MatrixLayout layout) : layout_(layout), partition_(layout_) {}

  MatrixLayout layout_;
  Partition partition_;
  bool unmade_ = false;  // there are no bytes to read yet
  std::optional<SealedSegment> segment_;
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
  // Blocks [begin, end).
  BlockReader(const MatrixSource& source, std::int64_t begin, std::int64_t end);

  // Calls `work` with the elements of `block`, in native byte order; blocks
  // must be asked for in order. A file that changes while it is read becomes
  // FILE_CHANGED, whatever `work` made of it.
  absl::Status Visit(const RowBlock& block,
                     absl::FunctionRef<absl::Status(const BlockView&)> work);

  const ReadEffort& effort() const { return effort_; }

 private:
  absl::Status Native(const RowBlock& block, const std::byte* data,
                      absl::FunctionRef<absl::Status(const BlockView&)> work);

  const MatrixSource& source_;
  std::optional<WindowReader> windows_;
  Scratch converted_;
  ReadEffort effort_;
};

}  // namespace hearth::worker
