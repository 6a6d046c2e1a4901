#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "hearth/shm/file_source.h"

namespace hearth {

enum class FileReading {
  kMappedWhole,  // MapWhole or MapRange: the page cache keeps it for next time
  kByWindows,    // WindowReader: passes through, and leaves the cache alone
};

// Pure. A file under half of the free memory keeps its cache; a larger one
// would push out everything else, itself first.
FileReading ChooseReading(std::int64_t file_bytes, std::int64_t free_bytes);

// Where windows are read to: a thread's own, kept from task to task, since
// fresh pages cost more than what is read into them.
//
// Kind:    resource. Moves, never copies; the last owner unmaps.
// Threads: one at a time.
class WindowBuffer {
 public:
  WindowBuffer() = default;
  WindowBuffer(WindowBuffer&& other) noexcept { Swap(other); }
  WindowBuffer& operator=(WindowBuffer&& other) noexcept {
    WindowBuffer taken(std::move(other));
    Swap(taken);
    return *this;
  }
  ~WindowBuffer();

  // At least that many bytes, at a page boundary; grows, never shrinks. Growing
  // forgets what was in it. Empty when there is no memory.
  std::span<std::byte> Writable(std::int64_t bytes);
  // The same of zeros, which take no memory.
  std::span<const std::byte> Zeros(std::int64_t bytes);

 private:
  void Swap(WindowBuffer& other) noexcept;

  std::span<std::byte> writable_;
  std::span<std::byte> zeros_;
};

// Walks a range of a file from front to back without keeping any of it, in
// memory or in the page cache: for files larger than the memory. Holes in the
// file are not read at all.
//
//   WindowReader reader(file, offset, bytes, buffer);
//   while (reader.bytes_left() > 0) {
//     HEARTH_ASSIGN_OR_RETURN(auto block, reader.Next(block_bytes));
//
// Truncation is an error here, never a SIGBUS.
//
// Kind:    resource, of the page cache that it drops when it ends. Stays put.
// Threads: one at a time. Several readers of one file run side by side.
class WindowReader {
 public:
  // [offset, offset + bytes) must lie within the file; `file` and `buffer`
  // outlive this, and `buffer` serves one reader at a time.
  WindowReader(const FileSource& file, std::int64_t offset, std::int64_t bytes,
               WindowBuffer& buffer);
  WindowReader(const WindowReader&) = delete;
  WindowReader& operator=(const WindowReader&) = delete;
  ~WindowReader();

  // The next `bytes` bytes (fewer only at the range's end), in one piece, at a
  // page boundary in memory whatever the offset. Valid until the next call.
  // From 1 to 16 MiB at a time is quickest. FILE_CHANGED when the file ends
  // before the range does; BAD_FILE when the disk fails; OUT_OF_MEMORY when
  // there is none for the buffer. An error leaves the place as it was.
  absl::StatusOr<std::span<const std::byte>> Next(std::int64_t bytes);

  std::int64_t bytes_left() const { return end_ - at_; }

 private:
  bool IsHole(std::int64_t bytes) const;
  absl::Status Read(std::span<std::byte> window) const;
  void Drop(std::int64_t until);

  const FileSource& file_;
  WindowBuffer& buffer_;
  bool sparse_ = false;
  std::int64_t at_ = 0;
  std::int64_t end_ = 0;
  std::int64_t dropped_ = 0;  // everything before is out of the page cache
};

}  // namespace hearth
