// Segments: bytes in memory that processes of one host share by descriptor.
//
//   OpenSegment --Seal()--> SealedSegment (mapped) <--> SealedDescriptor
//
// A segment is a memfd: it has no name anywhere, and the kernel frees it when
// the last process that holds or maps it is gone, however that process ended.
// Payload begins at byte 0; nothing else is in it. Sizes are 63-bit; zero bytes
// are allowed, and have no mapping.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/base/unique_fd.h"
#include "hearth/shm/mapping.h"
#include "hearth/shm/memory_limits.h"

namespace hearth {

// A sealed memfd that was checked but is not mapped: what a keeper holds and a
// message carries. Opened read-only, so that no holder can ask for more.
//
// Kind:    resource. Moves, never copies; the last owner closes.
// Threads: const methods from any.
class SealedDescriptor {
 public:
  // Takes a descriptor from a peer that nobody vouches for: it must be a memfd
  // of exactly `bytes` bytes, sealed against writing, shrinking and growing.
  // Anything else is BAD_USAGE, saying what is missing; `fd` is closed then.
  static absl::StatusOr<SealedDescriptor> Adopt(UniqueFd fd,
                                                std::int64_t bytes);

  std::int64_t bytes() const { return bytes_; }
  // Borrowed: send it to a peer, never close it.
  int fd() const { return fd_.get(); }

  // A second descriptor of the same bytes. Fails: out of descriptors.
  absl::StatusOr<SealedDescriptor> Duplicate() const;

  // Bytes that have pages. Less than bytes() where nobody ever wrote; reading
  // those allocates the pages then, charged to the reader.
  std::int64_t ResidentBytes() const;

 private:
  friend class OpenSegment;
  SealedDescriptor(UniqueFd fd, std::int64_t bytes)
      : fd_(std::move(fd)), bytes_(bytes) {}

  UniqueFd fd_;
  std::int64_t bytes_ = 0;
};

// A sealed segment, mapped read-only and whole: bytes that nobody can change
// any more.
//
// Kind:    resource. Moves, never copies; the last owner unmaps and closes. The
//          bytes don't move with it: views stay where they are.
// Threads: bytes() may be read from any thread; moving it needs an owner.
class SealedSegment {
 public:
  static absl::StatusOr<SealedSegment> Map(SealedDescriptor descriptor);

  // Adopt and Map in one: for a descriptor that a peer sent.
  static absl::StatusOr<SealedSegment> Adopt(UniqueFd fd, std::int64_t bytes);

  // Copies `bytes` once into a fresh segment and seals it.
  static absl::StatusOr<SealedSegment> CopyOf(std::span<const std::byte> bytes,
                                              const MemoryLimits& limits);

  std::span<const std::byte> bytes() const { return mapping_.bytes(); }
  const Mapping& mapping() const { return mapping_; }
  const SealedDescriptor& descriptor() const { return descriptor_; }
  int fd() const { return descriptor_.fd(); }

  // The same bytes with a descriptor and a mapping of their own.
  absl::StatusOr<SealedSegment> Duplicate() const;

 private:
  friend class OpenSegment;
  SealedSegment(SealedDescriptor descriptor, Mapping mapping)
      : descriptor_(std::move(descriptor)), mapping_(std::move(mapping)) {}

  SealedDescriptor descriptor_;
  Mapping mapping_;
};

struct SegmentOptions {
  // Shown in /proc/PID/maps and by tools that list mappings: "memfd:hearth".
  std::string label = "hearth";
  // Asks for huge pages; the kernel may refuse silently: PageBytesOf() tells.
  bool huge_pages = true;
  // At most so many are touched before somebody looks at the limits again: what
  // is filled from memory that is given back meanwhile needs no room for all.
  std::int64_t touched_bytes_max = std::numeric_limits<std::int64_t>::max();
};

struct SealOptions {
  // What becomes of the view from Map(), at the same address. kRead: a thread
  // that still writes there gets a SIGSEGV. kPrivate: what it writes is seen in
  // this process alone; for languages where views can't be called back.
  MapAccess own_view = MapAccess::kRead;
};

// A segment that is being filled, by as many processes as hold its descriptor.
// Fresh bytes read as zero.
//
// Kind:    resource. Moves, never copies; the last owner unmaps and closes.
// Threads: WriteAt and MapRange from any; Map and Seal need an owner. Who
//          writes where is the caller's to arrange: there is no lock in here.
// Fails:   out-of-memory when a limit of the host or its cgroups would be
//          passed (checked before anything is touched) or descriptors run out.
class OpenSegment {
 public:
  static absl::StatusOr<OpenSegment> Create(std::int64_t bytes,
                                            const MemoryLimits& limits,
                                            const SegmentOptions& options = {});

  // Takes a descriptor that another process sent: a memfd of exactly `bytes`
  // bytes, open for writing and not sealed yet, or BAD_USAGE. Its size may
  // still be changed by any holder until it is sealed: a holder is trusted.
  static absl::StatusOr<OpenSegment> Adopt(UniqueFd fd, std::int64_t bytes);

  std::int64_t bytes() const { return bytes_; }
  int fd() const { return fd_.get(); }

  // The whole of it, writable; the same view at each call. It stays valid at
  // the same address, and can't change the segment, after Seal().
  absl::StatusOr<std::span<std::byte>> Map();

  // A range, for a writer of a part. Must be gone before anybody seals.
  absl::StatusOr<Mapping> MapRange(std::int64_t offset,
                                   std::int64_t bytes) const;

  // Writes all of `from` without a mapping, so it never stands in the way of a
  // Seal(). NOT_ALLOWED once the segment is sealed; out-of-memory or BAD_USAGE
  // (past the end) otherwise.
  absl::Status WriteAt(std::int64_t offset,
                       std::span<const std::byte> from) const;

  // Makes the bytes immutable for ever, for every holder. The view from Map()
  // stays where it is, as the options say; and fd() keeps its number, which
  // stands for this segment at every moment, for threads that are sending it.
  //
  // SEGMENT_BUSY names the processes that still map it writable, forked
  // children among them; then nothing has changed, and it may be tried again.
  // No thread of this process may write through the view meanwhile: for some
  // microseconds, until the kernel has refused, it is another's.
  // After success this object is empty.
  absl::StatusOr<SealedSegment> Seal(const SealOptions& options = {});

 private:
  OpenSegment(UniqueFd fd, std::int64_t bytes, bool huge_pages)
      : fd_(std::move(fd)), bytes_(bytes), huge_pages_(huge_pages) {}

  UniqueFd fd_;
  std::int64_t bytes_ = 0;
  bool huge_pages_ = true;
  Mapping view_;
};

}  // namespace hearth
