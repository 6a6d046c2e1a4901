#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/base/unique_fd.h"
#include "hearth/shm/file_source.h"
#include "hearth/shm/mapping.h"

namespace hearth {

enum class FileReading {
  kMappedWhole,  // MapWhole or MapRange: the page cache keeps it for next time
  kByWindows,    // WindowReader: passes through, and leaves the cache alone
};

// Pure. A file under half of the free memory keeps its cache; a larger one
// would push out everything else, itself first.
FileReading ChooseReading(std::int64_t file_bytes, std::int64_t free_bytes);

enum class WindowAccess {
  kMapped,  // the least processor time, but no request larger than read-ahead
  kCopied,  // by pread, whose requests are as large as the pieces
};

// Pure. As fast as the disk, by what the kernel reads ahead on it; 0: unknown.
WindowAccess ChooseAccess(std::int64_t read_ahead_bytes);

// Walks a range of a file from front to back without keeping any of it, in
// memory or in the page cache: for files larger than the memory. At most
// limits::kWindowBytes are mapped, or one piece is copied. Holes in the file
// are not read at all.
//
//   WindowReader reader(file, offset, bytes);
//   while (reader.bytes_left() > 0) {
//     HEARTH_ASSIGN_OR_RETURN(const auto block, reader.Next(block_bytes));
//     HEARTH_RETURN_IF_ERROR(
//         RunGuarded(reader.window(), file.path(), [&] { ...block... }));
//
// Kind:    resource. Stays where it is; its end unmaps and drops.
// Threads: one at a time. Several readers of one file run side by side.
class WindowReader {
 public:
  // [offset, offset + bytes) must lie within the file, which outlives this.
  // Without `access`, what suits the file's disk.
  WindowReader(const FileSource& file, std::int64_t offset, std::int64_t bytes,
               std::optional<WindowAccess> access = std::nullopt);
  WindowReader(const WindowReader&) = delete;
  WindowReader& operator=(const WindowReader&) = delete;
  ~WindowReader();

  // The next `bytes` bytes (fewer only at the range's end), in one piece, read
  // already; aligned in memory as they are in the file. Valid until the next
  // call. FILE_CHANGED when the file ends before they do or the disk fails;
  // OUT_OF_MEMORY when there is no room for a mapping. An error leaves the
  // place as it was.
  absl::StatusOr<std::span<const std::byte>> Next(std::int64_t bytes);

  // What the last piece lies in, for RunGuarded: the file may be cut off
  // between Next and the reading. Empty for a hole or a copy, where nothing can
  // happen.
  const Mapping& window() const { return window_; }

  std::int64_t bytes_left() const { return end_ - at_; }

 private:
  bool IsHole(std::int64_t bytes) const;
  absl::Status MoveWindow(std::int64_t bytes);
  void BeginStream() const;
  absl::StatusOr<std::span<const std::byte>> Copy(std::int64_t bytes);
  absl::Status Populate(std::span<const std::byte> piece) const;
  void Drop();
  int fd() const { return own_fd_.valid() ? own_fd_.get() : file_.fd(); }
  std::string Attempt(std::int64_t bytes) const;

  const FileSource& file_;
  UniqueFd own_fd_;  // with read-ahead of its own; none where /proc says no
  WindowAccess access_ = WindowAccess::kMapped;
  bool sparse_ = false;
  std::int64_t at_ = 0;
  std::int64_t end_ = 0;
  std::int64_t window_begin_ = 0;
  Mapping window_;
  Mapping zeros_;
  std::unique_ptr<std::byte[]> copy_;
  std::int64_t copy_bytes_ = 0;
  std::int64_t read_to_ = -1;  // where the last piece ended, unless a hole
  std::int64_t dropped_ = 0;   // everything before is out of the page cache
};

}  // namespace hearth
