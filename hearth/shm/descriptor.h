// Second descriptors of what is open already. Inside this room only.
#pragma once

#include "absl/status/statusor.h"
#include "hearth/base/unique_fd.h"

namespace hearth {

// The same open file, close-on-exec.
absl::StatusOr<UniqueFd> DuplicateFd(int fd);

// The same file opened anew, for reading only. Needs /proc.
absl::StatusOr<UniqueFd> ReopenReadOnly(int fd);
// For reading and writing.
absl::StatusOr<UniqueFd> ReopenForWriting(int fd);

}  // namespace hearth
