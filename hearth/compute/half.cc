#include "hearth/compute/half.h"

#include <cmath>

namespace hearth {

std::uint16_t Float16FromDouble(double value) {
  if (std::isnan(value)) return 0x7e00;
  const unsigned sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  // The first value that rounds up to infinity: halfway from 65504 to 65536.
  if (magnitude >= 65520) return static_cast<std::uint16_t>(sign | 0x7c00);
  // Adding a power of two whose last place is the half's last place there
  // rounds as the half would: to nearest, ties to even.
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int last_place = (exponent - 11 < -24) ? -24 : exponent - 11;
  const double rounder = std::ldexp(1.5, last_place + 52);
  const double rounded = (magnitude + rounder) - rounder;
  if (rounded < 0x1p-14) {  // a subnormal, or zero
    return static_cast<std::uint16_t>(
        sign | static_cast<unsigned>(std::ldexp(rounded, 24)));
  }
  std::frexp(rounded, &exponent);
  const auto fraction =
      static_cast<unsigned>(std::ldexp(rounded, 11 - exponent));
  return static_cast<std::uint16_t>(
      sign | (static_cast<unsigned>(exponent + 14) << 10) | (fraction - 0x400));
}

}  // namespace hearth
