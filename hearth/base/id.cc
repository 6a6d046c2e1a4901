#include "hearth/base/id.h"

#include <sys/random.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace hearth {
namespace {

std::optional<std::uint64_t> ParseHalf(absl::string_view digits) {
  std::uint64_t value = 0;
  for (const char digit : digits) {
    std::uint64_t nibble = 0;
    if (digit >= '0' && digit <= '9') {
      nibble = static_cast<std::uint64_t>(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
      nibble = static_cast<std::uint64_t>(digit - 'a') + 10;
    } else {
      return std::nullopt;
    }
    value = value << 4 | nibble;
  }
  return value;
}

}  // namespace

Id Id::Random() {
  Id id;
  if (getrandom(&id, sizeof(id), 0) != sizeof(id)) std::abort();
  return id;
}

std::optional<Id> Id::Parse(absl::string_view text) {
  if (text.size() != 32) return std::nullopt;
  const auto high = ParseHalf(text.substr(0, 16));
  const auto low = ParseHalf(text.substr(16));
  if (!high.has_value() || !low.has_value()) return std::nullopt;
  return Id{*high, *low};
}

std::string Id::ToString() const {
  // Not by StrFormat: it is slow the first time, and attaching needs this.
  return absl::StrCat(absl::Hex(high, absl::kZeroPad16),
                      absl::Hex(low, absl::kZeroPad16));
}

}  // namespace hearth
