#pragma once

#include <cstdint>
#include <limits>

#include "hearth/base/address.h"
#include "hearth/transport/handover/handover_client.h"

namespace hearth::worker {

// What segments of this host may still take.
//
// Kind:    resource, single-threaded; its own connection to the keeper, which
//          it does not wait for: a heartbeat tells it.
class HostMemory {
 public:
  // `segment_bytes_max`: what the keeper was given; 0: no bound of its own.
  HostMemory(const Address& keeper, std::int64_t segment_bytes_max)
      : keeper_({.keeper = keeper, .deadline = absl::Milliseconds(500)}),
        bytes_max_(segment_bytes_max > 0
                       ? segment_bytes_max
                       : std::numeric_limits<std::int64_t>::max()),
        is_bounded_(segment_bytes_max > 0),
        held_bytes_(bytes_max_) {}

  // In bytes: what the machine has and caches would give back, within the
  // keeper's bound. Of a keeper that does not answer, what it said last; 0
  // where a bounded one never did.
  std::int64_t Free();

 private:
  HandoverClient keeper_;
  const std::int64_t bytes_max_;
  const bool is_bounded_;
  std::int64_t held_bytes_;
  std::int64_t cached_bytes_ = 0;
};

}  // namespace hearth::worker
