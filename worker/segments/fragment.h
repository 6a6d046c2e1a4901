#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "hearth/base/id.h"
#include "hearth/shm/segment.h"
#include "hearth/transport/reach/segment_reach.h"

namespace hearth::worker {

// The row blocks of another host's segment that have come to this one, for
// whoever needs them next: one sparse memfd a segment and host, held by the
// keeper, mapped by every worker that reads there. Behind the bytes of the
// segment lies one bit a block, set once all of the block is there.
//
// A cache: keeper and coordinator let go of it as they like, and whoever has it
// mapped reads on. Two workers that bring the same block write the same bytes.
//
// Kind:    resource. Threads: any; who publishes a block has filled it.
class Fragment {
 public:
  // What the host has of a segment of `bytes` bytes and `block_count` blocks so
  // far. Null where it can't have any: no room, or no keeper.
  static std::shared_ptr<Fragment> Open(const Id& segment, std::int64_t bytes,
                                        std::int64_t block_count,
                                        SegmentReach& reach);
  // Which the keeper holds it under.
  static Id TokenOf(const Id& segment);

  bool Has(std::int64_t block) const;
  // The first of [begin, end) that it has; `end` where it has none of them.
  std::int64_t FirstOf(std::int64_t begin, std::int64_t end) const;
  // [offset, offset + bytes) of the segment; good where Has said so.
  std::span<const std::byte> At(std::int64_t offset, std::int64_t bytes) const;

  // The same, to be filled; empty where this host is short of memory. Then
  // Publish it, block by block.
  std::span<std::byte> Take(std::int64_t offset, std::int64_t bytes);
  void Publish(std::int64_t block);

 private:
  Fragment(OpenSegment memory, std::span<std::byte> view,
           std::int64_t bits_offset)
      : memory_(std::move(memory)), view_(view), bits_offset_(bits_offset) {}
  std::uint64_t& WordOf(std::int64_t block) const;

  OpenSegment memory_;
  std::span<std::byte> view_;
  std::int64_t bits_offset_ = 0;
};

}  // namespace hearth::worker
