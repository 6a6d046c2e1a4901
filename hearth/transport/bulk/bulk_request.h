#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "protos/bulk.pb.h"

namespace hearth {

// Whether that range lies in a segment of so many bytes, whatever the numbers.
// BAD_USAGE names both.
absl::Status CheckRange(const proto::BulkRequest& request,
                        std::int64_t segment_bytes);

}  // namespace hearth
