#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/base/unique_fd.h"
#include "hearth/object/array_bytes.h"
#include "hearth/shm/memory_limits.h"
#include "hearth/shm/segment.h"

namespace hearth {

// The arrays of one frame that are too large to be copied through it, one after
// the other (protos/object.proto). Where it is made, it is a list of arrays and
// then, once shared, one sealed segment; where it arrives, that segment, which
// lives until the last array in it is let go of.
//
// Kind:    resource; once handed to a connection, immutable and shared.
// Threads: const methods from any.
class Attachment : public std::enable_shared_from_this<Attachment> {
 public:
  // Of a peer: refused unless it is sealed, and of that size.
  static absl::StatusOr<std::shared_ptr<const Attachment>> Adopt(
      UniqueFd fd, std::int64_t bytes);

  // Takes the elements of one more array; returns where they begin.
  std::int64_t Add(ArrayBytes elements);
  // Copies all of them once into a segment: now nobody can change them any
  // more, and a descriptor stands for them. At the second time, nothing.
  //
  // Fails: out-of-memory, before anything is touched.
  absl::Status Share();

  std::int64_t bytes() const { return bytes_; }
  bool is_shared() const { return segment_.has_value(); }
  // Some of it may be changed by others until it is shared.
  bool is_borrowed() const { return is_borrowed_; }
  // Requires that it is shared. Borrowed: send it, never close it.
  int fd() const { return segment_->fd(); }

  // Appends [offset, offset + bytes) to `out`.
  void Append(std::int64_t offset, std::int64_t bytes, std::string& out) const;
  // An array of it. Requires that it is shared, or came from a peer.
  // Fails: bad-usage for what is not within it.
  absl::StatusOr<ArrayBytes> At(std::uint64_t offset, std::int64_t bytes) const;

 private:
  struct Part {
    std::int64_t offset = 0;
    ArrayBytes elements;
  };
  std::vector<Part> parts_;  // none once it is shared
  std::int64_t bytes_ = 0;
  bool is_borrowed_ = false;
  std::optional<SealedSegment> segment_;  // that this end has made
  Mapping mapping_;  // what a peer made; its descriptor is closed by now
};

// Of what came: what is attached to a frame, none, or why it can't be had.
using Attached = absl::StatusOr<std::shared_ptr<const Attachment>>;

// Puts an attachment together that comes in pieces. What does not fit into the
// memory is passed over, and only the frame that it belongs to learns of it.
//
// Kind: resource. Threads: one at a time.
class AttachmentPieces {
 public:
  bool has_begun() const { return has_begun_; }
  // `total` matters with the first piece.
  void Add(std::uint64_t total, const std::string& piece);
  // What came since the last time; `bytes` is what the frame says.
  Attached Take(std::uint64_t bytes);

 private:
  absl::Status Begin(std::uint64_t total);

  const MemoryLimits limits_;
  bool has_begun_ = false;
  absl::Status failed_;
  std::optional<OpenSegment> segment_;
  std::int64_t filled_ = 0;
  std::int64_t checked_ = 0;  // the limits were looked at up to there
};

}  // namespace hearth
