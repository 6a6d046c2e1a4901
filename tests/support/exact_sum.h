// The exact sum of float64 numbers, to hold others against. Tests only.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace hearth::testing {

// A fixed-point number of 2^-1074 and up, in limbs of 32 bits that may hold
// more until they are carried.
class ExactSum {
 public:
  void Add(double value) {
    int exponent = 0;
    const double fraction = std::frexp(value, &exponent);
    auto units = static_cast<std::int64_t>(std::ldexp(fraction, 53));
    int place = exponent - 53 + 1074;
    if (place < 0) {  // a subnormal: its low bits are zero
      units >>= -place;
      place = 0;
    }
    const auto limb = static_cast<std::size_t>(place / 32);
    const int shift = place % 32;
    // Thirds of 32 bits, each with the sign of the number.
    const bool negative = units < 0;
    auto rest = static_cast<std::uint64_t>(negative ? -units : units);
    const std::uint64_t low = (rest << shift) & 0xffffffffU;
    rest = shift == 0 ? rest >> 32 : rest >> (32 - shift);
    const std::array<std::uint64_t, 3> thirds = {low, rest & 0xffffffffU,
                                                 rest >> 32};
    for (std::size_t i = 0; i < 3; ++i) {
      const auto third = static_cast<std::int64_t>(thirds[i]);
      limbs_[limb + i] += negative ? -third : third;
    }
    if (++additions_ % (1 << 20) == 0) Carry();
  }

  // To a few places.
  double Approximate() {
    Carry();
    const bool negative = limbs_.back() < 0;
    if (negative) {
      for (std::int64_t& limb : limbs_) limb = -limb;
      Carry();
    }
    double sum = 0;
    for (std::size_t i = limbs_.size(); i > 0; --i) {
      sum += std::ldexp(static_cast<double>(limbs_[i - 1]),
                        static_cast<int>(i - 1) * 32 - 1074);
    }
    return negative ? -sum : sum;
  }

 private:
  // Leaves every limb but the last in [0, 2^32).
  void Carry() {
    for (std::size_t i = 0; i + 1 < limbs_.size(); ++i) {
      const std::int64_t carry = limbs_[i] >> 32;
      limbs_[i] -= carry * (std::int64_t{1} << 32);
      limbs_[i + 1] += carry;
    }
  }

  std::array<std::int64_t, 72> limbs_{};
  std::int64_t additions_ = 0;
};

}  // namespace hearth::testing
