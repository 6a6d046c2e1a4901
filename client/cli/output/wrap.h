#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "client/cli/output/table.h"

namespace hearth::client {

// `text`, which begins in column `indent`, in lines that end before column
// `width`, all but the first indented: broken at spaces, else behind "/" or
// ",", else where there is no more room. Control characters become "?".
std::string Wrapped(absl::string_view text, int indent,
                    int width = kTableWidth);

}  // namespace hearth::client
