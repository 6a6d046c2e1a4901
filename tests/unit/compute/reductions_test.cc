// What each operation promises beyond its name, on values that a reader can
// check by heart. tests/property compares all of them with NumPy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "hearth/base/error.h"
#include "tests/support/run_operation.h"

namespace hearth {
namespace {

using ::hearth::testing::LayoutOf;
using ::hearth::testing::RunOperation;
using ::hearth::testing::Text;
using ::hearth::testing::ValuesOf;
using ::testing::ElementsAre;

const double kNotANumber = std::nan("");

double OfDoubles(const std::string& name, const std::vector<double>& values,
                 Text text = {}) {
  const auto length = static_cast<std::int64_t>(values.size());
  return ValuesOf<double>(RunOperation(
      name, LayoutOf(ElementType::kFloat64, {length}), values, text))[0];
}

std::int64_t PlaceIn(const std::string& name, const std::vector<double>& values,
                     const MatrixLayout& layout) {
  return ValuesOf<std::int64_t>(RunOperation(name, layout, values))[0];
}

Reason RefusalOf(const std::string& name, const MatrixLayout& layout,
                 const std::vector<double>& values, Text text = {}) {
  return ReasonOf(RunOperation(name, layout, values, text).status());
}

TEST(Mean, OfIntegersIsExactBeforeItIsRounded) {
  const std::vector<std::int64_t> values(1000, (std::int64_t{1} << 62) + 1);
  EXPECT_THAT(ValuesOf<double>(RunOperation(
                  "mean", LayoutOf(ElementType::kInt64, {1000}), values)),
              ElementsAre(0x1p62));
  const std::vector<std::int64_t> cancel = {INT64_MAX, 1, INT64_MIN, 5};
  EXPECT_THAT(ValuesOf<double>(RunOperation(
                  "mean", LayoutOf(ElementType::kInt64, {4}), cancel)),
              ElementsAre(1.25));
}

TEST(Mean, OfNothingIsNan) {
  EXPECT_TRUE(std::isnan(OfDoubles("mean", {})));
  EXPECT_TRUE(std::isnan(OfDoubles("nanmean", {kNotANumber})));
  EXPECT_EQ(OfDoubles("nanmean", {kNotANumber, 1, 2}), 1.5);
}

TEST(Mean, DoesNotOverflowOnTheWay) {
  EXPECT_EQ(OfDoubles("mean", {1.5e308, 1.5e308}), 1.5e308);
}

TEST(Var, KeepsItsDigitsFarFromZero) {
  std::vector<double> values;
  for (int i = 0; i < 200'000; ++i) values.push_back(1e9 + i % 2);
  EXPECT_NEAR(OfDoubles("var", values), 0.25, 1e-15);
  EXPECT_NEAR(OfDoubles("std", values), 0.5, 1e-15);
  EXPECT_EQ(OfDoubles("var", std::vector<double>(5000, 0.1)), 0);
}

// They were NaN: the sum of such elements is infinite, the mean is not.
TEST(Var, OfEqualNumbersIs0UpToTheLargest) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  for (const std::int64_t rows : {1, 3, 5000}) {
    for (const std::int64_t columns : {1, 4, 700}) {
      const std::vector<double> values(static_cast<std::size_t>(rows * columns),
                                       -kLargest);
      for (const char* axis : {"none", "0", "1"}) {
        for (const double one : ValuesOf<double>(RunOperation(
                 "nanvar", LayoutOf(ElementType::kFloat64, {rows, columns}),
                 values, {{"axis", axis}}))) {
          ASSERT_EQ(one, 0) << rows << " " << columns << " " << axis;
        }
      }
    }
  }
  EXPECT_EQ(OfDoubles("std", {kLargest, kLargest, kLargest}), 0);
}

// Small elements are looked at once, about the first one of a piece: here it
// lies as far from the others as it can.
TEST(Var, KeepsItsDigitsBesideAFirstElementThatLiesFarFromAllOthers) {
  for (const std::int64_t length : {2, 40, 128, 512}) {
    for (const std::int64_t side : {1, 33}) {
      for (const bool by_rows : {false, true}) {
        std::vector<std::int32_t> values;
        std::vector<float> floats;
        for (std::int64_t i = 0; i < length * side; ++i) {
          const std::int64_t place = by_rows ? i % length : i / side;
          values.push_back(place == 0 ? 2'000'000'000
                                      : static_cast<int>(place % 7));
          floats.push_back(static_cast<float>(values.back()));
        }
        long double mean = 0, squares = 0;
        for (std::int64_t i = 0; i < length; ++i)
          mean += values[static_cast<std::size_t>(by_rows ? i : i * side)];
        mean /= static_cast<long double>(length);
        for (std::int64_t i = 0; i < length; ++i) {
          const auto apart =
              values[static_cast<std::size_t>(by_rows ? i : i * side)] - mean;
          squares += apart * apart / static_cast<long double>(length);
        }
        const auto expected = static_cast<double>(squares);
        const Shape shape = by_rows ? Shape{side, length} : Shape{length, side};
        const Text axis{{"axis", by_rows ? "1" : "0"}};
        for (const double one : ValuesOf<double>(RunOperation(
                 "var", LayoutOf(ElementType::kInt32, shape), values, axis))) {
          EXPECT_NEAR(one / expected, 1, 2e-15) << length << " " << side;
        }
        for (const float one : ValuesOf<float>(
                 RunOperation("var", LayoutOf(ElementType::kFloat32, shape),
                              floats, axis))) {
          EXPECT_EQ(one, static_cast<float>(expected)) << length;
        }
      }
    }
  }
}

TEST(Var, TakesDdofAndHasNoneLeftAsNumpyDoes) {
  EXPECT_EQ(OfDoubles("var", {1, 3}, {{"ddof", "1"}}), 2);
  EXPECT_TRUE(std::isnan(OfDoubles("var", {1}, {{"ddof", "1"}})));
  EXPECT_EQ(OfDoubles("var", {1, 3}, {{"ddof", "2"}}), HUGE_VAL);
  EXPECT_TRUE(std::isnan(OfDoubles("nanvar", {1, 3}, {{"ddof", "2"}})));
}

TEST(Std, OfFloat16DoesNotOverflowInside) {
  // 60000 squared is far beyond float16.
  const std::vector<std::uint16_t> values = {0x7b53, 0xfb53};  // +-60000
  EXPECT_THAT(ValuesOf<std::uint16_t>(RunOperation(
                  "std", LayoutOf(ElementType::kFloat16, {2}), values)),
              ElementsAre(0x7b53));
}

TEST(Min, IsNanWhereOneIsAndSkipsItWhereAsked) {
  EXPECT_TRUE(std::isnan(OfDoubles("min", {3, kNotANumber, 1})));
  EXPECT_TRUE(std::isnan(OfDoubles("max", {kNotANumber, 3, 1})));
  EXPECT_EQ(OfDoubles("nanmin", {3, kNotANumber, 1}), 1);
  EXPECT_EQ(OfDoubles("nanmax", {3, kNotANumber, HUGE_VAL}), HUGE_VAL);
  EXPECT_TRUE(std::isnan(OfDoubles("nanmin", {kNotANumber, kNotANumber})));
}

TEST(Min, HasNoIdentity) {
  const auto empty = LayoutOf(ElementType::kFloat64, {0, 3});
  EXPECT_EQ(RefusalOf("min", empty, {}), Reason::kBadParameter);
  EXPECT_EQ(RefusalOf("argmax", empty, {}, {{"axis", "0"}}),
            Reason::kBadParameter);
  EXPECT_EQ(
      RunOperation("min", empty, std::vector<double>{}, {{"axis", "1"}})->shape,
      Shape{0});
}

TEST(Min, OrdersComplexNumbersByTheirParts) {
  const std::vector<double> values = {1, 5, 1, -2, 3, 0};
  EXPECT_THAT(ValuesOf<double>(RunOperation(
                  "min", LayoutOf(ElementType::kComplex128, {3}), values)),
              ElementsAre(1, -2));
}

TEST(Argmin, CountsInCOrderWhateverTheStorageOrder) {
  // Equal least elements at [0][2] and [1][0]: the first in C order wins.
  EXPECT_EQ(PlaceIn("argmin", {5, 6, 1, 1, 7, 8},
                    LayoutOf(ElementType::kFloat64, {2, 3})),
            2);
  EXPECT_EQ(PlaceIn("argmin", {5, 1, 6, 7, 1, 8},
                    LayoutOf(ElementType::kFloat64, {2, 3}, Order::kFortran)),
            2);
  std::vector<double> large(300'000, 4);
  large[299'999] = large[200'000] = large[7] = 1;
  EXPECT_EQ(
      PlaceIn("argmin", large, LayoutOf(ElementType::kFloat64, {300'000})), 7);
}

TEST(Argmin, PrefersTheFirstNan) {
  const auto layout = LayoutOf(ElementType::kFloat64, {4});
  EXPECT_EQ(PlaceIn("argmin", {1, kNotANumber, 0, kNotANumber}, layout), 1);
  EXPECT_EQ(PlaceIn("nanargmin", {1, kNotANumber, 0, kNotANumber}, layout), 2);
  EXPECT_EQ(RefusalOf("nanargmax", layout,
                      {kNotANumber, kNotANumber, kNotANumber, kNotANumber}),
            Reason::kBadParameter);
}

TEST(CountNonzero, TakesNanForNonzeroAndAnyByteForTrue) {
  const auto layout = LayoutOf(ElementType::kFloat64, {3});
  const std::vector<double> values = {0, -0.0, kNotANumber};
  EXPECT_THAT(
      ValuesOf<std::int64_t>(RunOperation("count_nonzero", layout, values)),
      ElementsAre(1));
  EXPECT_THAT(ValuesOf<std::uint8_t>(RunOperation("any", layout, values)),
              ElementsAre(1));
  EXPECT_THAT(ValuesOf<std::uint8_t>(RunOperation("all", layout, values)),
              ElementsAre(0));
  const std::vector<std::uint8_t> bytes = {2, 0, 255};
  EXPECT_THAT(ValuesOf<std::int64_t>(RunOperation(
                  "sum", LayoutOf(ElementType::kBool, {3}), bytes)),
              ElementsAre(2));
}

TEST(All, OfNothingIsTrue) {
  const auto layout = LayoutOf(ElementType::kFloat64, {0});
  EXPECT_THAT(ValuesOf<std::uint8_t>(
                  RunOperation("all", layout, std::vector<double>{})),
              ElementsAre(1));
  EXPECT_THAT(ValuesOf<std::uint8_t>(
                  RunOperation("any", layout, std::vector<double>{})),
              ElementsAre(0));
}

TEST(Prod, NeitherOverflowsNorUnderflowsOnTheWay) {
  EXPECT_EQ(OfDoubles("prod", {0x1p1000, 0x1p1000, 0x1p-1000, 0x1p-1000}), 1);
  EXPECT_EQ(OfDoubles("prod", {0x1p-1060, 0x1p1000, 0x1p60}), 1);
  EXPECT_EQ(OfDoubles("prod", {1e300, -1e300}), -HUGE_VAL);
  EXPECT_TRUE(std::isnan(OfDoubles("prod", {0, HUGE_VAL})));
  EXPECT_EQ(OfDoubles("prod", {}), 1);
  EXPECT_EQ(OfDoubles("nanprod", {kNotANumber, 3}), 3);
}

TEST(Norm, OfOrderTwoNeitherOverflowsNorUnderflows) {
  EXPECT_EQ(OfDoubles("norm", {3e200, 4e200}), 5e200);
  EXPECT_EQ(OfDoubles("norm", {3 * 0x1p-1000, 4 * 0x1p-1000}), 5 * 0x1p-1000);
  EXPECT_EQ(OfDoubles("norm", {3e200, 1e-300, 4e200, 0}), 5e200);
  EXPECT_EQ(OfDoubles("norm", {}), 0);
}

TEST(Norm, KnowsItsOrders) {
  const std::vector<double> values = {3, -4, 0};
  EXPECT_EQ(OfDoubles("norm", values), 5);
  EXPECT_EQ(OfDoubles("norm", values, {{"ord", "1"}}), 7);
  EXPECT_EQ(OfDoubles("norm", values, {{"ord", "inf"}}), 4);
  EXPECT_EQ(OfDoubles("norm", values, {{"ord", "-inf"}}), 0);
  EXPECT_EQ(OfDoubles("norm", values, {{"ord", "0"}}), 2);
  EXPECT_NEAR(OfDoubles("norm", values, {{"ord", "3"}}), std::cbrt(91), 1e-15);
  EXPECT_EQ(RefusalOf("norm", LayoutOf(ElementType::kFloat64, {3}), values,
                      {{"ord", "nan"}}),
            Reason::kBadUsage);
}

TEST(Reductions, GiveTheOneQuietNan) {
  std::vector<double> values(3);
  const std::uint64_t odd = 0xfff8000000001234;
  std::memcpy(&values[1], &odd, 8);
  for (const char* name : {"sum", "mean", "var", "min", "prod", "norm"}) {
    const auto bits = ValuesOf<std::uint64_t>(
        RunOperation(name, LayoutOf(ElementType::kFloat64, {3}), values));
    EXPECT_THAT(bits, ElementsAre(0x7ff8000000000000)) << name;
  }
}

TEST(Reductions, TreatA0dArrayAsOneElement) {
  const auto layout = LayoutOf(ElementType::kFloat64, {});
  for (const char* name : {"sum", "mean", "min", "prod", "norm"}) {
    const auto result =
        RunOperation(name, layout, std::vector<double>{2.5}, {{"axis", "-1"}});
    EXPECT_EQ(result->shape, Shape{}) << name;
    EXPECT_THAT(ValuesOf<double>(result), ElementsAre(2.5)) << name;
  }
}

TEST(Reductions, RefuseBytesThatAreNoPartial) {
  const Operation& sum = **FindOperation("sum");
  const auto plan = sum.Prepare(LayoutOf(ElementType::kFloat64, {4, 4}),
                                {.text = {{"axis", "0"}}, .matrices = {}});
  Bytes partial = (*plan)->Begin({});
  EXPECT_EQ(ReasonOf((*plan)->Combine(partial, Bytes(3))), Reason::kInternal);
  Bytes wrong(16 + 8 * 9 + 8 * 9 + 16);
  wrong[8] = std::byte{9};  // nine outputs of four
  EXPECT_EQ(ReasonOf((*plan)->Combine(partial, wrong)), Reason::kInternal);
  EXPECT_FALSE((*plan)->Finish(wrong, {}, 0).ok());
}

}  // namespace
}  // namespace hearth
