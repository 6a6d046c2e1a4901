#include "hearth/base/units.h"

#include <array>
#include <cstddef>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/checked.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"

namespace hearth {
namespace {

constexpr absl::string_view kPrefixes = "kmgtp";

// The bytes of a unit in lower case: "", "b", "k", "kib", "kb", ...
std::optional<std::int64_t> BytesOfUnit(absl::string_view unit) {
  if (unit.empty() || unit == "b") return 1;
  const std::size_t power = kPrefixes.find(unit[0]);
  if (power == absl::string_view::npos) return std::nullopt;
  const absl::string_view tail = unit.substr(1);
  if (!tail.empty() && tail != "ib" && tail != "b") return std::nullopt;
  std::int64_t bytes = 1;
  for (std::size_t i = 0; i <= power; ++i) bytes *= tail == "b" ? 1000 : 1024;
  return bytes;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// How many digits `text` begins with.
std::size_t CountDigits(absl::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && IsDigit(text[count])) ++count;
  return count;
}

std::optional<std::int64_t> Read(absl::string_view text) {
  const std::size_t whole_digits = CountDigits(text);
  std::int64_t whole = 0;
  if (!absl::SimpleAtoi(text.substr(0, whole_digits), &whole)) {
    return std::nullopt;
  }
  text.remove_prefix(whole_digits);

  double fraction = 0;
  if (!text.empty() && text[0] == '.') {
    const std::size_t digits = CountDigits(text.substr(1));
    // Without a digit after the point, SimpleAtod would still read "0.".
    if (digits == 0 ||
        !absl::SimpleAtod(absl::StrCat("0", text.substr(0, digits + 1)),
                          &fraction)) {
      return std::nullopt;
    }
    text.remove_prefix(digits + 1);
  }

  const std::optional<std::int64_t> unit = BytesOfUnit(
      absl::AsciiStrToLower(absl::StripLeadingAsciiWhitespace(text)));
  if (!unit.has_value()) return std::nullopt;
  const std::optional<std::int64_t> bytes = CheckedMultiply(whole, *unit);
  if (!bytes.has_value()) return std::nullopt;
  return CheckedAdd(
      *bytes, static_cast<std::int64_t>(fraction * static_cast<double>(*unit)));
}

}  // namespace

absl::StatusOr<std::int64_t> ParseSize(absl::string_view text) {
  const auto bytes = Read(absl::StripAsciiWhitespace(text));
  if (bytes.has_value()) return *bytes;
  return Error(Reason::kBadUsage,
               absl::StrCat("read the size ", Quoted(text),
                            ": it is not a number of bytes below 2^63 with one "
                            "of the units K, M, G, T, P, KiB, KB, ...; give "
                            "one like 4GiB, 512M or 1.5G"));
}

std::string FormatBytes(std::int64_t bytes) {
  static constexpr std::array<absl::string_view, 7> kUnits = {
      "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 0) {
    // Without negating the least number, which has no counterpart.
    return absl::StrCat("-", FormatBytes(-(bytes + 1)));
  }
  std::size_t unit = 0;
  double value = static_cast<double>(bytes);
  // 1023.95 would be printed as 1024.0 of a unit that is one too small.
  while (value >= (unit == 0 ? 1024 : 1023.95) && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  const auto tenths = static_cast<std::int64_t>(value * 10 + 0.5);
  const std::string point =
      tenths % 10 == 0 ? "" : absl::StrCat(".", tenths % 10);
  return absl::StrCat(tenths / 10, point, " ", kUnits[unit]);
}

}  // namespace hearth
