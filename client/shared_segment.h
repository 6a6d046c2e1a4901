// Bytes that processes of a host share, for languages that bring their own
// arrays: what a NumPy array of the Python package stands on.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/handles.h"
#include "client/hearth.h"
#include "client/mapped_bytes.h"
#include "hearth/shm/segment.h"

namespace hearth::client {

// One mapping, whole, of what a handle stands for.
//
// Kind:    resource. Moves; the bytes stay where they are.
// Threads: const methods and Seal() from any, in a forked child too; CopyIn,
//          MoveIn and moving it need an owner.
class SharedSegment {
 public:
  enum class Kind {
    kOpen,     // writable, by everybody who has it
    kSealed,   // nobody can change it any more
    kFile,     // a file's bytes, mapped in place
    kPrivate,  // writable; what is written, this process alone sees
    kMessage,  // bytes of this process, that came in a message
  };

  struct CreateOptions {
    // Without a view until it is sealed, for who only copies into it.
    bool mapped = true;
    // See SegmentOptions.
    std::int64_t touched_bytes_max = std::numeric_limits<std::int64_t>::max();
  };
  static absl::StatusOr<SharedSegment> Create(std::int64_t bytes,
                                              const CreateOptions& options);
  // What another process, or this one, handed out.
  static absl::StatusOr<std::pair<SharedSegment, SegmentNote>> Open(
      absl::string_view handle, HandleFrom from = HandleFrom::kUser);
  static SharedSegment Of(const Matrix& matrix) {
    return SharedSegment(matrix.bytes_);
  }
  static SharedSegment Of(std::shared_ptr<const MappedBytes> bytes) {
    return SharedSegment(std::move(bytes));
  }

  SharedSegment(SharedSegment&&) noexcept;
  SharedSegment& operator=(SharedSegment&&) noexcept;
  ~SharedSegment();

  Kind kind() const;
  bool writable() const {
    return kind() == Kind::kOpen || kind() == Kind::kPrivate;
  }
  std::span<const std::byte> bytes() const;
  // Of a file; else empty.
  std::string file() const;
  // Device and inode: equal for what is the same bytes. Zeros where there is no
  // descriptor.
  std::pair<std::uint64_t, std::uint64_t> identity() const;
  // Where bytes() begin in a file.
  std::int64_t offset() const;

  // Requires kOpen. `give_back`: see MoveIntoSegment.
  absl::Status CopyIn(std::int64_t offset, std::span<const std::byte> from);
  absl::Status MoveIn(std::int64_t offset, std::span<std::byte> from);
  // Requires kOpen. See MoveOutOfSegment.
  absl::Status MoveOut(std::int64_t offset, std::span<std::byte> to);
  // From kOpen to kSealed, at the same address; SEGMENT_BUSY and unchanged
  // while another process maps it writable. Views of this process that are
  // still written to change nothing that anybody else sees; what they write
  // while this runs is lost, also where it is refused. Of several threads
  // the first one seals, and the others wait for it: what is sealed stays so.
  absl::Status Seal();

  // Another mapping of the same bytes, copied page by page where it is written.
  absl::StatusOr<SharedSegment> Private() const;

  // BAD_USAGE for what has no descriptor.
  absl::StatusOr<std::string> HandOut(const SegmentNote& note) const;
  // Requires kSealed or kFile.
  absl::StatusOr<Matrix> AsMatrix(const MatrixLayout& layout) const;

 private:
  struct State;

  explicit SharedSegment(std::unique_ptr<State> state);
  explicit SharedSegment(std::shared_ptr<const MappedBytes> bytes);
  static absl::StatusOr<SharedSegment> Adopt(OpenSegment segment, bool mapped);

  std::unique_ptr<State> state_;
};

}  // namespace hearth::client
