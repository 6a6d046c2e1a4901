#include "client/cli/output/display.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/cli/output/character_widths.h"

namespace hearth::client {
namespace {

template <std::size_t kCount>
bool IsIn(const Range (&ranges)[kCount], char32_t code) {
  const Range* found = std::lower_bound(
      std::begin(ranges), std::end(ranges), code,
      [](const Range& range, char32_t one) { return range.last < one; });
  return found != std::end(ranges) && found->first <= code;
}

int ColumnsOf(char32_t code) {
  if (IsIn(kNoColumn, code)) return 0;
  return IsIn(kTwoColumns, code) ? 2 : 1;
}

}  // namespace

Character FirstCharacter(absl::string_view text) {
  const Character no_text{.bytes = 1, .columns = 1, .obeyed = true};
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) {
    return {.bytes = 1, .columns = 1, .obeyed = first < 0x20 || first == 0x7F};
  }
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < bytes) return no_text;
  char32_t code = first & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0) != 0x80) return no_text;
    code = code << 6 | (next & 0x3F);
  }
  constexpr char32_t kLeast[] = {0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  if (code < kLeast[bytes - 2] || code > 0x10FFFF || surrogate) return no_text;
  return {.bytes = bytes, .columns = ColumnsOf(code), .obeyed = code < 0xA0};
}

int DisplayWidth(absl::string_view text) {
  int columns = 0;
  while (!text.empty()) {
    const Character first = FirstCharacter(text);
    columns += first.columns;
    text.remove_prefix(first.bytes);
  }
  return columns;
}

std::string Shortened(absl::string_view text, int width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  std::size_t end = 0;
  for (int columns = 1; end < text.size();) {  // 1: of the "…"
    const Character next = FirstCharacter(text.substr(end));
    columns += next.columns;
    if (columns > width) break;
    end += next.bytes;
  }
  return absl::StrCat(text.substr(0, end), "…");
}

std::string Printable(absl::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const Character first = FirstCharacter(text);
    absl::StrAppend(&printable,
                    first.obeyed ? "?" : text.substr(0, first.bytes));
    text.remove_prefix(first.bytes);
  }
  return printable;
}

std::string Escaped(absl::string_view text, absl::string_view keep) {
  std::string escaped;
  while (!text.empty()) {
    const Character first = FirstCharacter(text);
    const absl::string_view bytes = text.substr(0, first.bytes);
    const bool stays =
        !first.obeyed || keep.find(text[0]) != absl::string_view::npos;
    absl::StrAppend(&escaped,
                    stays ? std::string(bytes) : absl::CHexEscape(bytes));
    text.remove_prefix(first.bytes);
  }
  return escaped;
}

}  // namespace hearth::client
