// float16 and bfloat16, read and written.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace hearth {

// Exact; of a float16 every NaN is the one quiet NaN.
//
// The half's exponent and fraction, moved to a float's place, are its value
// times 2^-112: one multiplication gives it, subnormals too.
inline double DoubleFromFloat16(std::uint16_t bits) {
  const std::uint32_t magnitude = bits & 0x7fffU;
  double value = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  if (magnitude >= 0x7c00) {
    value = magnitude == 0x7c00 ? std::numeric_limits<double>::infinity()
                                : std::numeric_limits<double>::quiet_NaN();
  }
  return (bits & 0x8000U) != 0 ? -value : value;
}
inline double DoubleFromBfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// Rounded once, to nearest even; every NaN is the one quiet NaN 0x7e00.
std::uint16_t Float16FromDouble(double value);

}  // namespace hearth
