#include "client/cli/output/wrap.h"

#include <algorithm>
#include <cstddef>

namespace hearth::client {
namespace {

// Bytes of the first `columns` columns of `text`.
std::size_t BytesOf(absl::string_view text, int columns) {
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const Character next = FirstCharacter(text.substr(bytes));
    columns -= next.columns;
    if (columns < 0) break;
    bytes += next.bytes;
  }
  return bytes;
}

// How many bytes of `text` the first line takes; `room`: those that fit.
std::size_t BreakOf(absl::string_view text, std::size_t room) {
  const std::size_t space = text.rfind(' ', room);  // one just behind it, too
  if (space != absl::string_view::npos && space > 0) return space;
  const std::size_t mark = text.substr(0, room).find_last_of("/,");
  if (mark != absl::string_view::npos && mark > 0) return mark + 1;
  return room;
}

}  // namespace

std::string Wrapped(absl::string_view given, int indent, int width) {
  const std::string printable = Printable(given);
  absl::string_view text = printable;
  std::string out;
  const int columns = std::max(width - indent, 2);  // a wide character
  while (DisplayWidth(text) > columns) {
    const std::size_t end = BreakOf(text, BytesOf(text, columns));
    out.append(text.substr(0, end).data(), end);
    out += '\n';
    out.append(static_cast<std::size_t>(indent), ' ');
    text.remove_prefix(end);
    if (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  }
  out.append(text.data(), text.size());
  return out;
}

}  // namespace hearth::client
