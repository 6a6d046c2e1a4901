#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace hearth {

// Where the binary lies, from whoever installed it along: a Python package
// knows its own folder. Before other threads ask.
void NameHearthProgram(const std::string& path);

// The `hearth` binary, for whoever has to exec it: $HEARTH_BINARY if set, else
// the one that was named, else this process's own executable if it is called
// hearth, else the first `hearth` on $PATH.
//
// Fails: file-missing, saying where it looked.
absl::StatusOr<std::string> FindHearthProgram();

}  // namespace hearth
