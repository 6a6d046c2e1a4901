#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hearth/base/id.h"
#include "hearth/matrix/layout.h"

namespace hearth::server {

// One host's copy of a segment, whole, that is counted on: its keeper holds it
// under a token of its own.
struct Replica {
  Id token{};
  std::string host{};
  friend bool operator==(const Replica&, const Replica&) = default;
};

// Bytes in memory: one segment, whatever its size, on one host or several.
struct SegmentSource {
  Id token{};  // what it was made as; names the bytes wherever they lie
  std::vector<Replica> replicas{};
  int replicas_wanted = 1;

  bool IsAt(const std::string& host) const {
    return std::any_of(replicas.begin(), replicas.end(),
                       [&](const Replica& one) { return one.host == host; });
  }
  friend bool operator==(const SegmentSource&, const SegmentSource&) = default;
};
// As it is made: on one host, under the token that names it.
inline SegmentSource SegmentAt(Id token, std::string host) {
  return {.token = token, .replicas = {{token, std::move(host)}}};
}

// Bytes in a file, mapped in place. Whoever maps it compares inode, size and
// mtime, or the checksums of a sample where it is another host: a file that
// changed since is refused.
struct FileSource {
  std::string path{};
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size_bytes = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t payload_offset = 0;
  std::uint64_t sample_seed = 0;
  std::vector<std::uint32_t> sample_checksums{};
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
