#pragma once

#include <cstdint>
#include <string>

#include "hearth/base/id.h"
#include "hearth/base/unique_fd.h"

namespace hearth {

// What a descriptor gives access to. The numbers travel on the wire.
enum class SegmentKind : std::uint16_t {
  kSealed = 1,    // a sealed memfd, opened read-only: immutable for ever
  kOpen = 2,      // a memfd, opened read-write: still being filled. Whoever
                  // fetches it after somebody sealed it gets a kSealed
  kFile = 3,      // a file mapped in place, opened read-only
  kFragment = 4,  // a cache of what came from another host, whole and sealed or
                  // a sparse memfd, opened read-write. It gives way to others
};

// What travels beside a segment's descriptor: enough to map it, and a note that
// handover itself never reads.
//
// Kind:    value.
// Units:   bytes; `offset` counts from the start of the descriptor.
// Bound:   note at most limits::kSegmentNoteBytesMax.
struct SegmentCard {
  SegmentKind kind = SegmentKind::kSealed;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
  std::string note = {};  // the depositor's own: element type, shape, matrix id

  friend bool operator==(const SegmentCard&, const SegmentCard&) = default;
};

// Kind:    resource: owns the descriptor.
struct FetchedSegment {
  UniqueFd fd;
  SegmentCard card;
};

// One line of what a keeper holds.
struct HeldSegment {
  Id token = {};
  SegmentKind kind = SegmentKind::kSealed;
  bool is_ticket = false;  // handed out for sharing without a server
  bool fetched = false;    // a ticket that somebody came for
  std::int32_t depositor_pid = 0;
  std::uint64_t bytes = 0;  // of a kFragment: those that have pages

  friend bool operator==(const HeldSegment&, const HeldSegment&) = default;
};

}  // namespace hearth
