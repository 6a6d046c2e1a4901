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

// A run of row blocks that is placed as one: their bytes, in a segment.
struct Piece {
  std::int64_t block_begin = 0;
  std::int64_t block_end = 0;
  SegmentSource segment{};
  friend bool operator==(const Piece&, const Piece&) = default;
};

// Bytes in memory of several hosts, as no host had room for all of them: two
// pieces or more, in order and without gaps.
struct SpreadSource {
  Id token{};  // names the whole, by whoever put it
  std::vector<Piece> pieces{};
  friend bool operator==(const SpreadSource&, const SpreadSource&) = default;
};

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
  std::string member{};  // of an archive; empty: it is none
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
  std::variant<SegmentSource, FileSource, Unmade, SpreadSource> source{};
  std::int64_t page_bytes = 4096;
  bool sealed = true;

  friend bool operator==(const MatrixRecord&, const MatrixRecord&) = default;
};

using MatrixPtr = std::shared_ptr<const MatrixRecord>;

// A segment of a matrix in memory, and which of its row blocks lie in it.
//
// Kind: value; a view into the record.
struct SegmentPart {
  const SegmentSource* segment = nullptr;
  std::int64_t block_begin = 0;
  std::int64_t block_end = 0;
  std::int64_t bytes = 0;
};
// In order; none of a matrix that is not in memory.
std::vector<SegmentPart> SegmentsOf(const MatrixRecord& matrix);

// Where bytes come from that the cluster is to place.
struct RandomNumbers {
  std::uint64_t seed = 0;
  ElementType type = ElementType::kFloat64;
  friend bool operator==(const RandomNumbers&, const RandomNumbers&) = default;
};
struct Origin {
  Id token{};  // names the matrix that is made of it
  std::variant<RandomNumbers, FileSource> from{};
  // Of a file: who holds its descriptor, for hosts that don't see it.
  Replica holder{};
  friend bool operator==(const Origin&, const Origin&) = default;
};
using OriginPtr = std::shared_ptr<const Origin>;

}  // namespace hearth::server
