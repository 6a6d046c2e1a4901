#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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

struct WindowOptions {
  // Read at once. Two windows are in memory: one computed on, one under way.
  std::int64_t window_bytes = 8 << 20;
};

// Walks a range of a file from front to back without keeping any of it, in
// memory or in the page cache: for files larger than the memory.
//
//   WindowReader reader(file, offset, bytes);
//   while (reader.bytes_left() > 0) {
//     HEARTH_ASSIGN_OR_RETURN(auto block, reader.Next(block_bytes));
//
// Kind:    resource. Moves, never copies; the last owner frees.
// Threads: one at a time. Several readers of one file run side by side.
class WindowReader {
 public:
  // [offset, offset + bytes) must lie within the file; `file` outlives this.
  WindowReader(const FileSource& file, std::int64_t offset, std::int64_t bytes,
               const WindowOptions& options = {});
  WindowReader(WindowReader&&) noexcept;
  WindowReader& operator=(WindowReader&&) noexcept;
  ~WindowReader();

  // The next `bytes` bytes (fewer only at the range's end), in one piece,
  // 64-byte aligned where the offset in the file is. Valid until the next call.
  // FILE_CHANGED when the file ends before the range does; BAD_FILE when the
  // disk fails.
  absl::StatusOr<std::span<const std::byte>> Next(std::int64_t bytes);

  std::int64_t bytes_left() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
