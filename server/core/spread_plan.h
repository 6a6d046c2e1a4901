#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hearth/matrix/layout.h"

namespace hearth::server {

// A host and the memory that it has for segments.
struct HostRoom {
  std::string host{};
  std::int64_t free_bytes = 0;
};

// Which run of row blocks is to lie on which hosts.
struct PlannedPiece {
  std::int64_t block_begin = 0;
  std::int64_t block_end = 0;
  std::vector<std::string> hosts{};  // all different, one for each replica
  friend bool operator==(const PlannedPiece&, const PlannedPiece&) = default;
};

// More would make the record of a matrix a long message: 2 TiB by shards of
// 1 GiB, and more by larger ones.
inline constexpr std::int64_t kPiecesMax = 2048;

// One piece where as many hosts have room for all of the matrix. Else pieces of
// 2^j blocks, a shard at most and several a host where that can be, and as
// small as it takes to fit; each host gets its share by free memory, and its
// neighbouring pieces, so that a task seldom reads from two hosts.
//
// None where it does not fit, or there are fewer hosts than replicas.
std::optional<std::vector<PlannedPiece>> PlanSpread(
    const MatrixLayout& layout, int replicas, std::vector<HostRoom> rooms);

}  // namespace hearth::server
