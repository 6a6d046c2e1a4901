#include "hearth/base/quoted.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace hearth {
namespace {

// The length of the well-formed UTF-8 sequence beyond ASCII that `text` begins
// with; 0 for none.
std::size_t Utf8Length(absl::string_view text) {
  const auto byte = [text](std::size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const auto continues = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if (i >= text.size() || (byte(i) & 0xC0) != 0x80) return false;
    }
    return true;
  };
  const unsigned char first = byte(0);
  if (first >= 0xC2 && first <= 0xDF && continues(1, 2)) {
    return 2;
  }
  if (first >= 0xE0 && first <= 0xEF && continues(1, 3)) {
    if (first == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
    if (first == 0xED && byte(1) > 0x9F) return 0;  // a surrogate
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4 && continues(1, 4)) {
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

// U+0080 to U+009F are control characters of terminals: they count as none.
std::size_t PrintableLength(absl::string_view text) {
  const std::size_t length = Utf8Length(text);
  const bool is_control = length == 2 && text[0] == '\xC2' &&
                          static_cast<unsigned char>(text[1]) < 0xA0;
  return is_control ? 0 : length;
}

}  // namespace

std::string Quoted(absl::string_view text, std::size_t bytes_max) {
  std::string quoted = "\"";
  while (!text.empty()) {
    if (quoted.size() > bytes_max) {
      quoted += "...";
      break;
    }
    std::size_t length = PrintableLength(text);
    if (length > 0) {
      quoted.append(text.data(), length);
    } else {
      length = 1;
      quoted += text[0] == '\'' ? "'" : absl::CHexEscape(text.substr(0, 1));
    }
    text.remove_prefix(length);
  }
  return quoted + "\"";
}

std::string ValidUtf8(std::string text) {
  const auto length_at = [](absl::string_view rest) {
    return absl::ascii_isascii(static_cast<unsigned char>(rest[0]))
               ? std::size_t{1}
               : Utf8Length(rest);
  };
  absl::string_view rest = text;
  std::string valid;
  while (!rest.empty()) {
    const std::size_t length = length_at(rest);
    if (length > 0) {
      valid.append(rest.data(), length);
    } else {
      valid += absl::CHexEscape(rest.substr(0, 1));
    }
    rest.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return valid;
}

bool IsPrintable(absl::string_view text) {
  while (!text.empty()) {
    const bool is_ascii =
        absl::ascii_isprint(static_cast<unsigned char>(text[0]));
    const std::size_t length = is_ascii ? 1 : PrintableLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace hearth
