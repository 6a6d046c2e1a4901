// Text as a terminal shows it.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace hearth::client {

struct Character {
  std::size_t bytes = 0;
  int columns = 0;      // 0: it joins the one before; 2: an East Asian one
  bool obeyed = false;  // a terminal might: a control character, or no UTF-8
};

// The first of `text`, which is not empty.
Character FirstCharacter(absl::string_view text);

// How many columns of a terminal `text` takes.
int DisplayWidth(absl::string_view text);

// `text`, or its beginning and "…", in at most `width` columns.
std::string Shortened(absl::string_view text, int width);

// With a "?" for each that a terminal would obey, so that a name can't draw.
std::string Printable(absl::string_view text);

// With each of them escaped, as "\\n" and "\\x1b". `keep`: those that stay.
std::string Escaped(absl::string_view text, absl::string_view keep = "");

}  // namespace hearth::client
