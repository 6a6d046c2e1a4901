#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "hearth/base/error.h"
#include "tests/support/exact_sum.h"
#include "tests/support/run_operation.h"
#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using ::hearth::testing::ExactSum;
using ::hearth::testing::LayoutOf;
using ::hearth::testing::RunOperation;
using ::hearth::testing::ValuesOf;
using ::testing::ElementsAre;

double SumOf(const std::vector<double>& values) {
  const auto length = static_cast<std::int64_t>(values.size());
  return ValuesOf<double>(RunOperation(
      "sum", LayoutOf(ElementType::kFloat64, {length}), values))[0];
}

TEST(Sum, AddsAlongEitherAxisInEitherOrder) {
  const std::vector<std::int32_t> values = {1, 2, 3, 4, 5, 6};
  const auto c = LayoutOf(ElementType::kInt32, {2, 3});
  const auto f = LayoutOf(ElementType::kInt32, {3, 2}, Order::kFortran);
  EXPECT_THAT(
      ValuesOf<std::int64_t>(RunOperation("sum", c, values, {{"axis", "0"}})),
      ElementsAre(5, 7, 9));
  EXPECT_THAT(
      ValuesOf<std::int64_t>(RunOperation("sum", f, values, {{"axis", "1"}})),
      ElementsAre(5, 7, 9));
  EXPECT_THAT(
      ValuesOf<std::int64_t>(RunOperation("sum", c, values, {{"axis", "-1"}})),
      ElementsAre(6, 15));
  EXPECT_THAT(
      ValuesOf<std::int64_t>(RunOperation("sum", f, values, {{"axis", "0"}})),
      ElementsAre(6, 15));
  EXPECT_THAT(ValuesOf<std::int64_t>(RunOperation("sum", f, values)),
              ElementsAre(21));
}

TEST(Sum, LeavesReducedAxesWhereKeepdimsAsks) {
  const std::vector<float> values(24, 1.0f);
  const auto layout = LayoutOf(ElementType::kFloat32, {2, 3, 4});
  const auto kept = RunOperation("sum", layout, values,
                                 {{"axis", "0,2"}, {"keepdims", "true"}});
  EXPECT_EQ(kept->shape, (Shape{1, 3, 1}));
  EXPECT_THAT(ValuesOf<float>(kept), ElementsAre(8, 8, 8));
  EXPECT_EQ(RunOperation("sum", layout, values, {{"axis", "0,2"}})->shape,
            Shape{3});
}

TEST(Sum, WrapsIntegersAndTakesADtype) {
  const std::vector<std::int8_t> values = {100, 100, 100};
  const auto layout = LayoutOf(ElementType::kInt8, {3});
  EXPECT_THAT(ValuesOf<std::int64_t>(RunOperation("sum", layout, values)),
              ElementsAre(300));
  EXPECT_THAT(ValuesOf<std::int8_t>(
                  RunOperation("sum", layout, values, {{"dtype", "int8"}})),
              ElementsAre(44));
  EXPECT_THAT(ValuesOf<double>(RunOperation("sum", layout, values,
                                            {{"dtype", "complex128"}})),
              ElementsAre(300, 0));
}

TEST(Sum, ComesBackFromAnOverflowOnTheWay) {
  const double big = 1.5e308;
  EXPECT_EQ(SumOf({big, big, -big, -big}), 0);
  EXPECT_EQ(SumOf({big, big, -big}), big);
  EXPECT_EQ(SumOf({big, big}), HUGE_VAL);
  // Over many blocks: the first half overflows, the second brings it back.
  std::vector<double> blocks(300'000, 1e304);
  for (std::size_t i = 150'000; i < blocks.size(); ++i) blocks[i] = -1e304;
  blocks[7] += 2e304;
  EXPECT_EQ(SumOf(blocks), 2e304);
}

TEST(Sum, GivesInfinitiesAndNanAsAPlainSumWould) {
  EXPECT_EQ(SumOf({1, HUGE_VAL, 1}), HUGE_VAL);
  EXPECT_EQ(SumOf({1, -HUGE_VAL, 1e308, 1e308}), -HUGE_VAL);
  EXPECT_TRUE(std::isnan(SumOf({HUGE_VAL, -HUGE_VAL})));
  EXPECT_TRUE(std::isnan(SumOf({1, std::nan(""), 1})));
}

TEST(Sum, KeepsTheSignOfZerosAndGivesZeroForNothing) {
  EXPECT_TRUE(std::signbit(SumOf({-0.0, -0.0})));
  EXPECT_FALSE(std::signbit(SumOf({-0.0, 0.0})));
  EXPECT_EQ(SumOf({}), 0);
  EXPECT_FALSE(std::signbit(SumOf({})));
}

TEST(Sum, StaysWithinItsErrorBoundWhereDigitsCancel) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> fraction(-1, 1);
  std::uniform_int_distribution<int> exponent(-40, 40);
  for (const std::size_t count : {3U, 100U, 5000U, 300'000U}) {
    std::vector<double> values(count);
    for (std::size_t i = 0; i + 1 < count; i += 2) {
      values[i] = std::ldexp(fraction(random), exponent(random));
      // Nearly its opposite: the sum is far smaller than its terms.
      values[i + 1] = -values[i] * (1 + fraction(random) * 1e-12);
    }
    std::shuffle(values.begin(), values.end(), random);
    const double sum = SumOf(values);
    ExactSum error;
    double magnitudes = 0;
    for (const double value : values) {
      error.Add(value);
      magnitudes += std::fabs(value);
    }
    error.Add(-sum);
    const double ulp =
        std::nextafter(std::fabs(sum), HUGE_VAL) - std::fabs(sum);
    const double bound =
        ulp + static_cast<double>(count) * 0x1p-106 * magnitudes;
    EXPECT_LE(std::fabs(error.Approximate()), bound) << count;
  }
}

TEST(Sum, RoundsSmallFloatsOnce) {
  // 2048 + 1 is no float16; summed wide, the ones count.
  std::vector<std::uint16_t> values(4097, 0x3c00);
  const auto sum =
      RunOperation("sum", LayoutOf(ElementType::kFloat16, {4097}), values);
  EXPECT_EQ(sum->type, ElementType::kFloat16);
  EXPECT_THAT(ValuesOf<std::uint16_t>(sum), ElementsAre(0x6c00));  // 4096
  EXPECT_EQ(
      RunOperation("sum", LayoutOf(ElementType::kBfloat16, {4097}), values)
          ->type,
      ElementType::kFloat32);
}

TEST(Sum, RefusesWhatItCantDo) {
  const Operation& sum = **FindOperation("sum");
  const auto layout = LayoutOf(ElementType::kComplex64, {0, 2});
  const auto prepare = [&](testing::Text text) {
    return ReasonOf(
        sum.Prepare(layout, {.text = std::move(text), .matrices = {}})
            .status());
  };
  EXPECT_EQ(prepare({{"axis", "7"}}), Reason::kBadParameter);
  EXPECT_EQ(prepare({{"axis", "0,-2"}}), Reason::kBadParameter);
  EXPECT_EQ(prepare({{"dtype", "float64"}}), Reason::kBadParameter);
  EXPECT_EQ(ReasonOf(sum.CheckUsage({{"axis", "x"}})), Reason::kBadUsage);
  EXPECT_EQ(ReasonOf(sum.CheckUsage({{"keepdims", "2"}})), Reason::kBadUsage);
  EXPECT_EQ(ReasonOf(sum.CheckUsage({{"q", "2"}})), Reason::kBadUsage);
  const auto huge = LayoutOf(ElementType::kFloat64,
                             {0, std::int64_t{1} << 40, std::int64_t{1} << 40});
  EXPECT_EQ(
      ReasonOf(sum.Prepare(huge, {.text = {{"axis", "0"}}, .matrices = {}})
                   .status()),
      Reason::kTooLarge);
}

}  // namespace
}  // namespace hearth
