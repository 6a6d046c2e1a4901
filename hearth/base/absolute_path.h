#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace hearth {

// `path` from the root on, without "." and ".." and doubled slashes: one text
// for one file, however it was typed. A link is left as it is; ".." behind one
// leads elsewhere than the text says, and stays.
std::string AbsolutePath(absl::string_view path);

}  // namespace hearth
