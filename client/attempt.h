#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hearth::client {

// What was refused for want of memory, told as the failure of `attempt`: who
// refused it knew a segment, and its reader knows a command and a matrix. Any
// other status as it is.
absl::Status ToldAs(absl::string_view attempt, const absl::Status& status);

}  // namespace hearth::client
