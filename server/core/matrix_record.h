#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "hearth/base/id.h"
#include "hearth/matrix/layout.h"

namespace hearth::server {

// Bytes in memory: one segment on one host, whatever its size.
struct SegmentSource {
  Id token{};
  std::string host{};
  friend bool operator==(const SegmentSource&, const SegmentSource&) = default;
};

// Bytes in a file, mapped in place. Whoever maps it compares inode, size and
// mtime: a file that changed since is refused.
struct FileSource {
  std::string path{};
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size_bytes = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t payload_offset = 0;
  friend bool operator==(const FileSource&, const FileSource&) = default;
};

// No bytes yet: what a job is about to make.
struct Unmade {
  friend bool operator==(const Unmade&, const Unmade&) = default;
};

// What the cluster knows of one matrix.
//
// Kind: value; shared as MatrixPtr once published, and never changed then.
struct MatrixRecord {
  std::string name{};  // empty: anonymous, the file of a `run` without a `put`
  MatrixLayout layout{};
  std::variant<SegmentSource, FileSource, Unmade> source{};
  std::int64_t page_bytes = 4096;
  bool sealed = true;

  friend bool operator==(const MatrixRecord&, const MatrixRecord&) = default;
};

using MatrixPtr = std::shared_ptr<const MatrixRecord>;

}  // namespace hearth::server
