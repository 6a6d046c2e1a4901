#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/compute/operation.h"

namespace hearth {

// Every operation there is, by name. The one list stands in registry.cc: adding
// an operation is one file in operations/ and one line there.
//
// Threads: any. Nothing changes after the first call.
const std::vector<const Operation*>& AllOperations();  // sorted by name

// BAD_USAGE naming the operation and the nearest ones that exist.
absl::StatusOr<const Operation*> FindOperation(absl::string_view name);

}  // namespace hearth
