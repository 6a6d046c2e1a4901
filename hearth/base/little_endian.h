// Fixed-width unsigned numbers in bytes that travel or rest: least byte first,
// at any alignment.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace hearth {

// The first sizeof(T) bytes of `bytes`, which must have them.
template <std::unsigned_integral T>
constexpr T LoadLittleEndian(absl::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return static_cast<T>(value);
}

template <std::unsigned_integral T>
void AppendLittleEndian(std::string& bytes, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes.push_back(
        static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xFF));
  }
}

}  // namespace hearth
