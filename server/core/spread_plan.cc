#include "server/core/spread_plan.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "hearth/matrix/partition.h"

namespace hearth::server {
namespace {

// Pieces a host, where the matrix has the blocks for it: the last one on each
// wastes less room, and what one host has too many of another can take.
constexpr std::int64_t kPiecesOfAHost = 4;

std::int64_t PowerOfTwoWithin(std::int64_t value) {
  return static_cast<std::int64_t>(std::bit_floor(
      static_cast<std::uint64_t>(std::max<std::int64_t>(value, 1))));
}

// How many pieces each host gets: none more than it has room for, in all
// `wanted`, in the proportion of what is free. Empty where that can't be.
std::vector<std::int64_t> SharesOf(const std::vector<HostRoom>& rooms,
                                   std::int64_t piece_bytes,
                                   std::int64_t pieces, std::int64_t wanted) {
  std::vector<std::int64_t> most;
  std::int64_t room = 0;
  double free_in_all = 0;
  for (const HostRoom& one : rooms) {
    // No host has a piece twice.
    most.push_back(std::min(one.free_bytes / piece_bytes, pieces));
    room += most.back();
    free_in_all += static_cast<double>(one.free_bytes);
  }
  if (room < wanted) return {};
  std::vector<std::int64_t> shares;
  std::vector<double> due;  // what rounding down took
  std::int64_t given = 0;
  for (std::size_t i = 0; i < rooms.size(); ++i) {
    const double share = static_cast<double>(wanted) *
                         static_cast<double>(rooms[i].free_bytes) / free_in_all;
    shares.push_back(std::min(static_cast<std::int64_t>(share), most[i]));
    due.push_back(share - static_cast<double>(shares.back()));
    given += shares.back();
  }
  for (; given < wanted; ++given) {
    std::size_t best = rooms.size();
    for (std::size_t i = 0; i < rooms.size(); ++i) {
      if (shares[i] == most[i]) continue;
      if (best == rooms.size() || due[i] > due[best]) best = i;
    }
    ++shares[best];
    due[best] -= 1;
  }
  return shares;
}

}  // namespace

std::optional<std::vector<PlannedPiece>> PlanSpread(
    const MatrixLayout& layout, int replicas, std::vector<HostRoom> rooms) {
  std::sort(rooms.begin(), rooms.end(),
            [](const HostRoom& one, const HostRoom& other) {
              return one.free_bytes != other.free_bytes
                         ? one.free_bytes > other.free_bytes
                         : one.host < other.host;
            });
  const auto count = static_cast<std::size_t>(std::max(replicas, 1));
  if (rooms.size() < count) return std::nullopt;
  const Partition partition(layout);
  const std::int64_t blocks = partition.block_count();
  if (rooms[count - 1].free_bytes >= layout.bytes()) {
    PlannedPiece whole{.block_begin = 0, .block_end = blocks, .hosts = {}};
    for (std::size_t i = 0; i < count; ++i) {
      whole.hosts.push_back(rooms[i].host);
    }
    return std::vector<PlannedPiece>{std::move(whole)};
  }

  const std::int64_t block_bytes =
      partition.Block(0).element_count * BytesOf(layout.type);
  std::int64_t length =
      std::min(partition.blocks_per_shard(),
               PowerOfTwoWithin(blocks / (kPiecesOfAHost * std::ssize(rooms))));
  const auto pieces_of = [&](std::int64_t blocks_of_a_piece) {
    return (blocks - 1) / blocks_of_a_piece + 1;
  };
  while (pieces_of(length) > kPiecesMax) length *= 2;
  std::vector<std::int64_t> shares;
  for (; length > 0 && pieces_of(length) <= kPiecesMax; length /= 2) {
    shares = SharesOf(rooms, length * block_bytes, pieces_of(length),
                      pieces_of(length) * replicas);
    if (!shares.empty()) break;
  }
  if (shares.empty()) return std::nullopt;

  // Hosts one after the other along the pieces, as often as there are
  // replicas: no host gets more than all pieces, so none gets one twice.
  std::vector<PlannedPiece> planned(
      static_cast<std::size_t>(pieces_of(length)));
  for (std::int64_t i = 0; i < std::ssize(planned); ++i) {
    PlannedPiece& piece = planned[static_cast<std::size_t>(i)];
    piece.block_begin = i * length;
    piece.block_end = std::min((i + 1) * length, blocks);
  }
  std::size_t at = 0;
  for (std::size_t host = 0; host < rooms.size(); ++host) {
    for (std::int64_t i = 0; i < shares[host]; ++i) {
      planned[at].hosts.push_back(rooms[host].host);
      at = (at + 1) % planned.size();
    }
  }
  return planned;
}

}  // namespace hearth::server
