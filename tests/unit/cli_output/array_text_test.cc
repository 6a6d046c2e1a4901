#include "client/cli/output/array_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <sstream>

#include "tests/unit/cli_output/array_of.h"

namespace hearth::client {
namespace {

using ::testing::HasSubstr;

TEST(ArrayText, OfAZeroDimensionalArrayHasAllItsDigits) {
  const std::vector<double> third = {1.0 / 3};
  EXPECT_EQ(ArrayText(ViewOf(ElementType::kFloat64, {}, third)),
            "0.3333333333333333");
}

TEST(ArrayText, AlignsColumnsAsNumPyDoes) {
  const std::vector<std::int64_t> four = {1, 20, 300, 4};
  EXPECT_EQ(ArrayText(ViewOf(ElementType::kInt64, {2, 2}, four)),
            "[[  1  20]\n"
            " [300   4]]");
}

TEST(ArrayText, PutsABlankLineBetweenPlanes) {
  const std::vector<std::uint8_t> two = {1, 2};
  EXPECT_EQ(ArrayText(ViewOf(ElementType::kUint8, {2, 1, 1}, two)),
            "[[[1]]\n\n [[2]]]");
}

TEST(ArrayText, BreaksLongLines) {
  std::vector<std::int64_t> many(100);
  std::iota(many.begin(), many.end(), 1000);
  std::istringstream lines(ArrayText(ViewOf(ElementType::kInt64, {100}, many)));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST(ArrayText, ShowsTheEndsOfALargeArray) {
  std::vector<std::int64_t> many(2000);
  std::iota(many.begin(), many.end(), 0);
  EXPECT_EQ(ArrayText(ViewOf(ElementType::kInt64, {2000}, many)),
            "[   0    1    2 ... 1997 1998 1999]");
  const std::string plane =
      ArrayText(ViewOf(ElementType::kInt64, {1000, 2}, many));
  EXPECT_THAT(plane, HasSubstr("...\n"));
  EXPECT_LT(plane.size(), 200u);
}

TEST(ArrayText, NamesTheShapeOfAnEmptyArray) {
  const std::vector<double> none;
  EXPECT_EQ(ArrayText(ViewOf(ElementType::kFloat64, {0, 3}, none)),
            "[] of shape (0, 3)");
}

TEST(ResultText, OfFieldsOfOneLengthIsATable) {
  const std::vector<std::int64_t> count = {5, 5};
  const std::vector<double> mean = {0.123456789, -2};
  EXPECT_EQ(ResultText(std::vector{
                ViewOf(ElementType::kInt64, {2}, count, Order::kC, "count"),
                ViewOf(ElementType::kFloat64, {2}, mean, Order::kC, "mean")}),
            "   count    mean\n"
            "0      5  0.1235\n"
            "1      5    -2.0\n");
}

TEST(ResultText, OfManyRowsShowsTheEnds) {
  const std::vector<double> mean(1000, 1.5);
  const std::string text = ResultText(std::vector{
      ViewOf(ElementType::kFloat64, {1000}, mean, Order::kC, "mean")});
  EXPECT_THAT(text, HasSubstr("999"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 22);
}

TEST(ResultText, OfFieldsOfDifferentLengthsNamesEach) {
  const std::vector<std::int64_t> counts = {3};
  const std::vector<double> edges = {0, 1};
  EXPECT_EQ(ResultText(std::vector{
                ViewOf(ElementType::kInt64, {1}, counts, Order::kC, "counts"),
                ViewOf(ElementType::kFloat64, {2}, edges, Order::kC, "edges")}),
            "counts:\n[3]\nedges:\n[0.0 1.0]\n");
}

}  // namespace
}  // namespace hearth::client
