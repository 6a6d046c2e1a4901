// One task alone, in this very process, where a debugger reaches it: what the
// story of a failed job says to run.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/hearth.h"
#include "hearth/compute/operation.h"

namespace hearth::client {

struct ReplayRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};
absl::StatusOr<ReplayRange> ParseLeaves(const std::string& text);

// Computes those leaves of the first round and prints how long that took, and
// a checksum of the partials.
absl::Status Replay(const Operation& operation, const Matrix& matrix,
                    const Arguments& arguments, ReplayRange leaves, bool json);

}  // namespace hearth::client
