// Early return for absl::Status and absl::StatusOr, and errno as a Status.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hearth {

// The Status of the system call that just failed: `attempt`, what the kernel
// said, and what that mostly takes to mend.
absl::Status ErrnoStatus(absl::string_view attempt);

}  // namespace hearth

#define HEARTH_CONCAT_INNER(a, b) a##b
#define HEARTH_CONCAT(a, b) HEARTH_CONCAT_INNER(a, b)

#define HEARTH_RETURN_IF_ERROR(expression)                                \
  do {                                                                    \
    if (absl::Status hearth_status = (expression); !hearth_status.ok()) { \
      return hearth_status;                                               \
    }                                                                     \
  } while (false)

#define HEARTH_ASSIGN_OR_RETURN(declaration, expression)             \
  HEARTH_ASSIGN_OR_RETURN_INNER(HEARTH_CONCAT(hearth_or_, __LINE__), \
                                declaration, expression)
#define HEARTH_ASSIGN_OR_RETURN_INNER(holder, declaration, expression) \
  auto holder = (expression);                                          \
  if (!holder.ok()) return std::move(holder).status();                 \
  declaration = *std::move(holder)
