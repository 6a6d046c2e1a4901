#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "hearth/matrix/layout.h"
#include "hearth/shm/file_source.h"
#include "hearth/shm/segment.h"

namespace hearth {

// What a Matrix or a result stands on: a sealed segment, a mapped file, or
// bytes that came in a message.
//
// Kind:    immutable, shared. Threads: any.
class MappedBytes {
 public:
  struct File {
    FileSource source;
    Mapping mapping;
    std::int64_t payload_offset = 0;
    std::string member = {};  // of an archive; empty: it is none
  };

  MappedBytes(MatrixLayout layout, SealedSegment segment)
      : layout_(std::move(layout)), holder_(std::move(segment)) {}
  MappedBytes(MatrixLayout layout, File file)
      : layout_(std::move(layout)), holder_(std::move(file)) {}
  MappedBytes(MatrixLayout layout, std::string bytes)
      : layout_(std::move(layout)), holder_(std::move(bytes)) {}

  const MatrixLayout& layout() const { return layout_; }
  std::span<const std::byte> bytes() const;
  // Null unless it is a segment.
  const SealedSegment* segment() const {
    return std::get_if<SealedSegment>(&holder_);
  }
  const File* file() const { return std::get_if<File>(&holder_); }

 private:
  MatrixLayout layout_;
  std::variant<SealedSegment, File, std::string> holder_;
};

}  // namespace hearth
