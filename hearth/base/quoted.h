#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace hearth {

// Text that came from outside, as an error message may show it: within double
// quotes, one line, printable (the rest C-escaped, valid UTF-8 kept), and cut
// with "..." after about `bytes_max` bytes.
std::string Quoted(absl::string_view text, std::size_t bytes_max = 120);

// `text` where it is UTF-8; else with each byte that is none as \xNN: what a
// text in a message may hold.
std::string ValidUtf8(std::string text);

// UTF-8 without control characters: what could be a name.
bool IsPrintable(absl::string_view text);

}  // namespace hearth
