#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace hearth {

// 128 bits that nobody can guess: names a segment, a ticket, a session. Random,
// never derived.
//
// Kind: value. Text form is 32 lower-case hexadecimal digits.
struct Id {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  // From the kernel's random source; stops the process where there is none.
  static Id Random();
  static std::optional<Id> Parse(absl::string_view text);

  std::string ToString() const;
  bool zero() const { return high == 0 && low == 0; }

  friend auto operator<=>(const Id&, const Id&) = default;
  template <class H>
  friend H AbslHashValue(H h, const Id& id) {
    return H::combine(std::move(h), id.high, id.low);
  }
};

}  // namespace hearth
