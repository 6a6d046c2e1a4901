// float16 and bfloat16, read and written.
#pragma once

#include <cstdint>

namespace hearth {

// Exact.
double DoubleFromFloat16(std::uint16_t bits);
double DoubleFromBfloat16(std::uint16_t bits);

// Rounded once, to nearest even; every NaN is the one quiet NaN 0x7e00.
std::uint16_t Float16FromDouble(double value);

}  // namespace hearth
