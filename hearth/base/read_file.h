#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hearth {

// Everything in a file, to its end: for /proc, /sys and other small text, whose
// size stat() doesn't tell. The Status is errno's.
absl::StatusOr<std::string> ReadSmallFile(absl::string_view path);

}  // namespace hearth
