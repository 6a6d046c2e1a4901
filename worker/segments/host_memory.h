#pragma once

#include <cstdint>

#include "hearth/transport/handover/handover_client.h"

namespace hearth::worker {

// What segments of this host may still take, in bytes: what the machine has and
// caches would give back, within what the keeper was given
// (`segment_bytes_max`; 0: no bound of its own). 0 where a bounded keeper does
// not answer. Threads: any.
std::int64_t FreeSegmentBytes(HandoverClient& keeper,
                              std::int64_t segment_bytes_max);

}  // namespace hearth::worker
