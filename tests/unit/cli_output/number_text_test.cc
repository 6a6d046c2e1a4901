#include "client/cli/output/number_text.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "absl/strings/str_format.h"

namespace hearth::client {
namespace {

template <class T>
std::string Json(ElementType type, T value) {
  std::string text;
  AppendJsonElement(type, reinterpret_cast<const std::byte*>(&value), text);
  return text;
}

std::string JsonOf(double value) { return Json(ElementType::kFloat64, value); }
std::string JsonOf(float value) { return Json(ElementType::kFloat32, value); }
std::string JsonOf(std::complex<double> value) {
  return Json(ElementType::kComplex128, value);
}

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

TEST(JsonElement, OfAFloatIsTheShortestThatReadsBackInItsType) {
  EXPECT_EQ(JsonOf(0.1), "0.1");
  EXPECT_EQ(JsonOf(0.1f), "0.1");
  EXPECT_EQ(JsonOf(static_cast<double>(0.1f)), "0.10000000149011612");
  EXPECT_EQ(JsonOf(std::numeric_limits<double>::denorm_min()), "5e-324");
  EXPECT_EQ(JsonOf(std::numeric_limits<double>::max()),
            "1.7976931348623157e+308");
}

TEST(JsonElement, OfAFloatIsNeverReadAsAnInteger) {
  EXPECT_EQ(JsonOf(3.0), "3.0");
  EXPECT_EQ(JsonOf(-0.0), "-0.0");
  EXPECT_EQ(JsonOf(0.0), "0.0");
  EXPECT_EQ(JsonOf(1e22), "1e+22");
}

TEST(JsonElement, OfWhatIsNoNumberIsAString) {
  EXPECT_EQ(JsonOf(kNan), "\"nan\"");
  EXPECT_EQ(JsonOf(-kNan), "\"nan\"");
  EXPECT_EQ(JsonOf(kInf), "\"inf\"");
  EXPECT_EQ(JsonOf(-kInf), "\"-inf\"");
}

TEST(JsonElement, OfIntegersIsExactAtTheirEnds) {
  EXPECT_EQ(Json(ElementType::kInt64, std::numeric_limits<std::int64_t>::min()),
            "-9223372036854775808");
  EXPECT_EQ(
      Json(ElementType::kUint64, std::numeric_limits<std::uint64_t>::max()),
      "18446744073709551615");
  EXPECT_EQ(Json(ElementType::kInt8, std::int8_t{-128}), "-128");
  EXPECT_EQ(Json(ElementType::kUint8, std::uint8_t{255}), "255");
}

TEST(JsonElement, OfABoolIsABool) {
  EXPECT_EQ(Json(ElementType::kBool, std::uint8_t{1}), "true");
  EXPECT_EQ(Json(ElementType::kBool, std::uint8_t{0}), "false");
}

TEST(JsonElement, OfAComplexIsAStringThatPythonReads) {
  EXPECT_EQ(JsonOf({1.5, -2}), "\"1.5-2j\"");
  EXPECT_EQ(JsonOf({-0.0, 0.0}), "\"-0+0j\"");
  EXPECT_EQ(JsonOf({0.0, -0.0}), "\"0-0j\"");
  EXPECT_EQ(JsonOf({kNan, kInf}), "\"nan+infj\"");
  EXPECT_EQ(JsonOf({-kInf, -kNan}), "\"-inf+nanj\"");
  EXPECT_EQ(Json(ElementType::kComplex64, std::complex<float>(0.1f, 1e-20f)),
            "\"0.1+1e-20j\"");
}

TEST(JsonElement, OfAFloat16UsesItsFewDigits) {
  const auto half = [](double value) {
    return Json(ElementType::kFloat16, ToFloat16(value));
  };
  EXPECT_EQ(half(0.1), "0.1");
  EXPECT_EQ(half(1.0 / 3), "0.3333");
  EXPECT_EQ(half(1000), "1000.0");
  EXPECT_EQ(half(65504), "65500.0");  // as NumPy's own repr
  EXPECT_EQ(half(std::ldexp(1, -24)), "6e-08");
  EXPECT_EQ(half(-0.0), "-0.0");
  EXPECT_EQ(half(1e9), "\"inf\"");
  EXPECT_EQ(half(kNan), "\"nan\"");
}

TEST(JsonElement, OfABfloat16IsItsFloat32) {
  EXPECT_EQ(Json(ElementType::kBfloat16, std::uint16_t{0x3F80}), "1.0");
  EXPECT_EQ(Json(ElementType::kBfloat16, std::uint16_t{0x3DCD}), "0.100097656");
}

TEST(Float16, EveryOneReadsBackFromItsValue) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const double value = FromFloat16(half);
    if (std::isnan(value)) continue;
    ASSERT_EQ(ToFloat16(value), half) << bits;
  }
}

TEST(Float16, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(ToFloat16(1 + std::ldexp(1, -11)), 0x3C00);
  EXPECT_EQ(ToFloat16(1 + std::ldexp(3, -11)), 0x3C02);
  EXPECT_EQ(ToFloat16(65519.99), 0x7BFF);
  EXPECT_EQ(ToFloat16(65520), 0x7C00);
  EXPECT_EQ(ToFloat16(std::ldexp(1, -25)), 0);
  EXPECT_EQ(ToFloat16(std::ldexp(1.01, -25)), 1);
}

// Tries every decimal of fewer digits near the value: none may read back.
TEST(Float16, HasNoShorterDecimalThanTheOneWritten) {
  for (std::uint32_t bits = 1; bits < 0x7C00; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const std::string text = Json(ElementType::kFloat16, half);
    const double written = std::strtod(text.c_str(), nullptr);
    ASSERT_EQ(ToFloat16(written), half) << text;
    int digits = 1;
    while (std::strtod(absl::StrFormat("%.*e", digits - 1, written).c_str(),
                       nullptr) != written) {
      ++digits;
    }
    if (digits == 1) continue;
    const double value = FromFloat16(half);
    const int exponent = static_cast<int>(std::floor(std::log10(value)));
    const int last = exponent - (digits - 2);  // of a decimal one digit shorter
    const double below = std::floor(value / std::pow(10.0, last));
    for (double near = below - 1; near <= below + 2; ++near) {
      const std::string shorter = absl::StrFormat("%.0fe%d", near, last);
      ASSERT_NE(ToFloat16(std::strtod(shorter.c_str(), nullptr)), half)
          << text << " could be " << shorter;
    }
  }
}

TEST(TextElement, CutsDigitsOnlyWhereThatIsShorter) {
  std::string text;
  const double third = 1.0 / 3, half = 0.5;
  AppendTextElement(ElementType::kFloat64,
                    reinterpret_cast<const std::byte*>(&third), 8, text);
  text += ' ';
  AppendTextElement(ElementType::kFloat64,
                    reinterpret_cast<const std::byte*>(&half), 8, text);
  EXPECT_EQ(text, "0.33333333 0.5");
}

TEST(JsonElement, ReadsElementsAtAnyAlignment) {
  std::array<std::byte, 9> bytes{};
  const double value = 2.5;
  std::memcpy(bytes.data() + 1, &value, sizeof(value));
  std::string text;
  AppendJsonElement(ElementType::kFloat64, bytes.data() + 1, text);
  EXPECT_EQ(text, "2.5");
}

}  // namespace
}  // namespace hearth::client
