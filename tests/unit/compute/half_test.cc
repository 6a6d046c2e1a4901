#include "hearth/compute/half.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hearth {
namespace {

TEST(Float16, ReadsBackEveryValue) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const double value = DoubleFromFloat16(static_cast<std::uint16_t>(bits));
    const unsigned back = Float16FromDouble(value);
    if (std::isnan(value)) {
      EXPECT_EQ(back, 0x7e00U);
    } else {
      EXPECT_EQ(back, bits);
    }
  }
}

TEST(Float16, RoundsToTheNearestAndTiesToEven) {
  for (unsigned bits = 0; bits + 1 < 0x7c00; ++bits) {
    const double low = DoubleFromFloat16(static_cast<std::uint16_t>(bits));
    const double high = DoubleFromFloat16(static_cast<std::uint16_t>(bits + 1));
    const double middle = (low + high) / 2;
    EXPECT_EQ(Float16FromDouble(middle), (bits % 2 == 0) ? bits : bits + 1);
    EXPECT_EQ(Float16FromDouble(std::nextafter(middle, 0)), bits);
    EXPECT_EQ(Float16FromDouble(std::nextafter(middle, 1e9)), bits + 1);
  }
  EXPECT_EQ(Float16FromDouble(65519.99), 0x7bff);
  EXPECT_EQ(Float16FromDouble(65520), 0x7c00);
  EXPECT_EQ(Float16FromDouble(-1e300), 0xfc00);
}

}  // namespace
}  // namespace hearth
