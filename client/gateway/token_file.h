#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace hearth::client {

// The token in the file at `path`; where there is none, a fresh one that only
// this process's user can read.
//
// Fails: file-missing for a folder that is not there; not-allowed for a file
// that others can read or that is another
//        user's; bad-file for one with no token in it.
absl::StatusOr<std::string> TokenIn(const std::string& path);

// ${XDG_STATE_HOME:-~/.local/state}/hearth/http-token: for a coordinator
// without a folder of its own. Makes that folder. Fails: file-missing where
// there is no home.
absl::StatusOr<std::string> TokenPathOfUser();

}  // namespace hearth::client
