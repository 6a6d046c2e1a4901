#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace hearth {

// The `hearth` binary, for whoever has to exec it: $HEARTH_BINARY if set, else
// this process's own executable if it is called hearth, else the first `hearth`
// on $PATH.
//
// Fails: file-missing, saying where it looked.
absl::StatusOr<std::string> FindHearthProgram();

}  // namespace hearth
