#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "hearth/base/error.h"
#include "hearth/compute/registry.h"
#include "tests/support/run_serially.h"
#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::RunSerially;

template <class T>
std::vector<T> ValuesOf(const ResultArray& array) {
  std::vector<T> values(array.bytes.size() / sizeof(T));
  std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  return values;
}

template <class T>
ResultArray Sum(ElementType type, Shape shape, const std::vector<T>& values,
                std::map<std::string, std::string> text = {},
                Order order = Order::kC) {
  const MatrixLayout layout{type, ByteOrder::kNative, order, std::move(shape)};
  auto results = RunSerially(**FindOperation("sum"), layout,
                             reinterpret_cast<const std::byte*>(values.data()),
                             {.text = std::move(text), .matrices = {}});
  EXPECT_THAT(results, IsOk());
  return results.ok() ? results->front() : ResultArray{};
}

TEST(Sum, AddsAlongEitherAxisInEitherOrder) {
  const std::vector<std::int32_t> values = {1, 2, 3, 4, 5, 6};
  for (const Order order : {Order::kC, Order::kFortran}) {
    const Shape shape = order == Order::kC ? Shape{2, 3} : Shape{3, 2};
    const bool flip = order == Order::kFortran;
    const auto columns = Sum(ElementType::kInt32, shape, values,
                             {{"axis", flip ? "1" : "0"}}, order);
    EXPECT_EQ(columns.type, ElementType::kInt64);
    EXPECT_EQ(ValuesOf<std::int64_t>(columns),
              (std::vector<std::int64_t>{5, 7, 9}));
    const auto rows = Sum(ElementType::kInt32, shape, values,
                          {{"axis", flip ? "0" : "1"}}, order);
    EXPECT_EQ(ValuesOf<std::int64_t>(rows), (std::vector<std::int64_t>{6, 15}));
  }
}

TEST(Sum, ComesBackFromAnOverflowOnTheWay) {
  const double big = 1.5e308;
  EXPECT_EQ(ValuesOf<double>(Sum<double>(ElementType::kFloat64, {4},
                                         {big, big, -big, -big})),
            std::vector<double>{0.0});
  EXPECT_EQ(ValuesOf<double>(
                Sum<double>(ElementType::kFloat64, {3}, {big, big, -big})),
            std::vector<double>{big});
  EXPECT_EQ(
      ValuesOf<double>(Sum<double>(ElementType::kFloat64, {2}, {big, big})),
      std::vector<double>{HUGE_VAL});
}

TEST(Sum, KeepsTheSignOfZerosAndGivesZeroForNothing) {
  const auto negative =
      ValuesOf<double>(Sum<double>(ElementType::kFloat64, {2}, {-0.0, -0.0}));
  EXPECT_TRUE(std::signbit(negative[0]));
  const auto nothing =
      ValuesOf<double>(Sum<double>(ElementType::kFloat64, {0}, {}));
  EXPECT_EQ(nothing, std::vector<double>{0.0});
  EXPECT_FALSE(std::signbit(nothing[0]));
}

TEST(Sum, RefusesAnAxisThatIsNotThere) {
  const MatrixLayout layout{
      ElementType::kFloat64, ByteOrder::kNative, Order::kC, {0, 2}};
  const Operation& sum = **FindOperation("sum");
  const auto plan =
      sum.Prepare(layout, {.text = {{"axis", "7"}}, .matrices = {}});
  EXPECT_EQ(ReasonOf(plan.status()), Reason::kBadParameter);
  EXPECT_EQ(ReasonOf(sum.CheckUsage({{"axis", "x"}})), Reason::kBadUsage);
  EXPECT_EQ(ReasonOf(sum.CheckUsage({{"q", "2"}})), Reason::kBadUsage);
}

}  // namespace
}  // namespace hearth
