#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "hearth/compute/registry.h"
#include "hearth/compute/selection/bin_edges.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/compute/made_array.h"

namespace hearth {
namespace {

using ::testing::ElementsAre;
using testing::HasCode;
using testing::IsOk;
using testing::MadeArray;
using testing::Make;
using testing::RunSerially;

template <class T>
std::vector<T> NumbersOf(const ResultArray& result) {
  std::vector<T> numbers(result.bytes.size() / sizeof(T));
  if (!numbers.empty()) {
    std::memcpy(numbers.data(), result.bytes.data(), result.bytes.size());
  }
  return numbers;
}

absl::StatusOr<std::vector<ResultArray>> Compute(
    const char* operation, const MadeArray& x,
    const std::map<std::string, std::string>& text = {}) {
  return RunSerially(**FindOperation(operation), x.layout, x.data(),
                     {text, {}});
}

MadeArray Column(std::vector<double> values,
                 ElementType type = ElementType::kFloat64) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Make(type, Order::kC, {count}, [&](std::int64_t i) {
    return values[static_cast<std::size_t>(i)];
  });
}

TEST(Histogram, CountsFromTheLeastToTheGreatestElement) {
  const auto got =
      Compute("histogram", Column({1, 2, 1, 4, 5}), {{"bins", "4"}});
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ((*got)[0].name, "counts");
  EXPECT_THAT(NumbersOf<std::int64_t>((*got)[0]), ElementsAre(2, 1, 0, 2));
  EXPECT_THAT(NumbersOf<double>((*got)[1]), ElementsAre(1, 2, 3, 4, 5));
}

TEST(Histogram, OfTwoBinsIsNotTakenForARange) {
  const MadeArray x = Make(ElementType::kFloat64, Order::kC, {400'000},
                           [](std::int64_t i) { return i % 10; });
  const auto got = Compute("histogram", x, {{"bins", "2"}});
  ASSERT_THAT(got, IsOk());
  EXPECT_THAT(NumbersOf<std::int64_t>((*got)[0]),
              ElementsAre(200'000, 200'000));
}

TEST(Histogram, LeavesOutWhatIsOutsideTheRangeAndNan) {
  const auto got =
      Compute("histogram", Column({-1, 0, 0.5, 1, 2, NAN, INFINITY}),
              {{"bins", "2"}, {"range", "0,1"}});
  ASSERT_THAT(got, IsOk());
  EXPECT_THAT(NumbersOf<std::int64_t>((*got)[0]), ElementsAre(1, 2));
}

TEST(Histogram, OfEqualOrNoElementsHasAUnitRange) {
  auto got = Compute("histogram", Column({3, 3}), {{"bins", "1"}});
  ASSERT_THAT(got, IsOk());
  EXPECT_THAT(NumbersOf<double>((*got)[1]), ElementsAre(2.5, 3.5));
  got = Compute("histogram", Column({}), {{"bins", "2"}});
  ASSERT_THAT(got, IsOk());
  EXPECT_THAT(NumbersOf<double>((*got)[1]), ElementsAre(0, 0.5, 1));
}

TEST(Histogram, RefusesARangeThatIsNotFinite) {
  EXPECT_THAT(Compute("histogram", Column({1, NAN, 2})),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Compute("histogram", Column({1, INFINITY})),
              HasCode(absl::StatusCode::kInvalidArgument));
  const Operation& histogram = **FindOperation("histogram");
  for (const char* range : {"1", "2,1", "nan,1", "0,inf", "x"}) {
    EXPECT_THAT(histogram.CheckUsage({{"range", range}}),
                HasCode(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(histogram.CheckUsage({{"bins", "0"}}),
              HasCode(absl::StatusCode::kInvalidArgument));
}

TEST(BinEdges, PutsEveryEdgeIntoTheBinThatItBegins) {
  const auto edges = BinEdges::Make(ElementType::kFloat64, 997, -0.1, 0.7);
  ASSERT_THAT(edges, IsOk());
  std::vector<std::int64_t> counts(997);
  edges->Count(edges->edges().data(), 998, counts.data());
  for (std::size_t i = 0; i < 996; ++i) EXPECT_EQ(counts[i], 1) << i;
  EXPECT_EQ(counts[996], 2);
  EXPECT_THAT(BinEdges::Make(ElementType::kFloat16, 5000, 0, 1),
              HasCode(absl::StatusCode::kInvalidArgument));
}

// Bins a unit are infinite there, and times 0 no number.
TEST(Histogram, CountsBetweenNeighboursOfZero) {
  const auto counts = [](const MadeArray& x,
                         const std::map<std::string, std::string>& text) {
    const auto got = Compute("histogram", x, text);
    EXPECT_THAT(got, IsOk());
    return got.ok() ? NumbersOf<std::int64_t>((*got)[0])
                    : std::vector<std::int64_t>();
  };
  EXPECT_THAT(counts(Column({0, 5e-324, 1e-323}), {{"bins", "2"}}),
              ElementsAre(1, 2));
  const MadeArray same = Column(std::vector<double>(5, 1e-310));
  EXPECT_THAT(counts(same, {{"bins", "4"}, {"range", "0,1e-310"}}),
              ElementsAre(0, 0, 0, 5));
  const auto many = counts(same, {{"bins", "100000"}, {"range", "0,1e-310"}});
  ASSERT_EQ(many.size(), 100'000u);
  EXPECT_EQ(many.back(), 5);
}

TEST(Histogram, TakesTheWidestRangeThatHasAWidth) {
  const auto got =
      Compute("histogram", Column({-8e307, 0, 9e307}), {{"bins", "3"}});
  ASSERT_THAT(got, IsOk());
  EXPECT_THAT(NumbersOf<std::int64_t>((*got)[0]), ElementsAre(1, 1, 1));
  EXPECT_THAT(Compute("histogram", Column({-1.7e308, 1.7e308})),
              HasCode(absl::StatusCode::kInvalidArgument));
  // Finite, but not in the elements' own type.
  EXPECT_THAT(Compute("histogram", Column({-1, 1}, ElementType::kFloat32),
                      {{"bins", "1"}, {"range", "-1e300,1e300"}}),
              HasCode(absl::StatusCode::kInvalidArgument));
}

TEST(Describe, TellsOfEachColumnWhatItsNumbersAreLike) {
  const double values[] = {1, 10, NAN, 20, 3, 30, 2, 40};
  const MadeArray x = Make(ElementType::kFloat64, Order::kC, {4, 2},
                           [&](std::int64_t i) { return values[i]; });
  const auto got = Compute("describe", x);
  ASSERT_THAT(got, IsOk());
  ASSERT_EQ(got->size(), 9u);
  EXPECT_THAT(NumbersOf<std::int64_t>((*got)[0]), ElementsAre(3, 4));
  EXPECT_THAT(NumbersOf<std::int64_t>((*got)[1]), ElementsAre(1, 0));
  EXPECT_THAT(NumbersOf<double>((*got)[2]), ElementsAre(2, 25));
  EXPECT_THAT(NumbersOf<double>((*got)[3]),
              ElementsAre(1, std::sqrt(500.0 / 3)));
  EXPECT_THAT(NumbersOf<double>((*got)[4]), ElementsAre(1, 10));
  EXPECT_THAT(NumbersOf<double>((*got)[5]), ElementsAre(1.5, 17.5));
  EXPECT_THAT(NumbersOf<double>((*got)[6]), ElementsAre(2, 25));
  EXPECT_THAT(NumbersOf<double>((*got)[7]), ElementsAre(2.5, 32.5));
  EXPECT_THAT(NumbersOf<double>((*got)[8]), ElementsAre(3, 40));
}

TEST(Describe, SaysTheSameInPassesAsWhenItCollectsAll) {
  const auto value = [](std::int64_t i) {
    return i % 97 == 0 ? NAN : std::sin(static_cast<double>(i)) * 1000;
  };
  // Twice the same numbers: in both orders the passes see other places.
  std::vector<Bytes> quartiles;
  for (const Order order : {Order::kC, Order::kFortran}) {
    const MadeArray x = Make(ElementType::kFloat64, order, {400'000, 3}, value);
    const auto got = Compute("describe", x);
    ASSERT_THAT(got, IsOk());
    std::vector<double> numbers;
    const auto all = testing::ValuesOf(x);
    for (std::size_t i = 1; i < all.size(); i += 3) {
      if (!std::isnan(all[i].real())) numbers.push_back(all[i].real());
    }
    std::sort(numbers.begin(), numbers.end());
    EXPECT_EQ(NumbersOf<std::int64_t>((*got)[0])[1],
              static_cast<std::int64_t>(numbers.size()));
    EXPECT_EQ(NumbersOf<double>((*got)[4])[1], numbers.front());
    EXPECT_EQ(NumbersOf<double>((*got)[8])[1], numbers.back());
    const double at = 0.5 * static_cast<double>(numbers.size() - 1);
    const auto floor = static_cast<std::size_t>(at);
    const double fraction = at - std::floor(at);
    const double median =
        fraction == 0
            ? numbers[floor]
            : numbers[floor + 1] -
                  (numbers[floor + 1] - numbers[floor]) * (1 - fraction);
    EXPECT_EQ(NumbersOf<double>((*got)[6])[1], median);
    quartiles.push_back((*got)[5].bytes);
  }
  EXPECT_EQ(quartiles[0], quartiles[1]);
}

// More than passes can count in.
TEST(Describe, TellsOfManyShortColumnsAsOfFew) {
  const std::int64_t all = 90'001, some = 301;
  const auto value = [&](std::int64_t row, std::int64_t column) {
    const std::int64_t i = row * 7919 + column;
    return i % 5 == 0 ? NAN : std::sin(static_cast<double>(i)) * 1000;
  };
  for (const Order order : {Order::kC, Order::kFortran}) {
    for (const ByteOrder stored : {ByteOrder::kNative, ByteOrder::kForeign}) {
      for (const ElementType type :
           {ElementType::kFloat64, ElementType::kFloat16,
            ElementType::kInt32}) {
        const auto make = [&](std::int64_t columns) {
          MadeArray x = Make(type, order, {4, columns}, [&](std::int64_t i) {
            const double element = value(i / columns, i % columns);
            return std::isnan(element) && !IsFloat(type) ? 3 : element;
          });
          x.layout.byte_order = stored;
          return x;
        };
        const auto got = Compute("describe", make(all));
        const auto wanted = Compute("describe", make(some));
        ASSERT_THAT(got, IsOk());
        ASSERT_THAT(wanted, IsOk());
        for (std::size_t i = 0; i < 9; ++i) {
          ASSERT_EQ((*got)[i].bytes.size(), 8u * all);
          EXPECT_EQ(std::memcmp((*got)[i].bytes.data(),
                                (*wanted)[i].bytes.data(), 8u * some),
                    0)
              << (*got)[i].name;
        }
      }
    }
  }
}

TEST(Describe, RefusesPartialsThatNobodyMakes) {
  MatrixLayout layout;
  layout.shape = {2, 90'000};
  const auto plan = (*FindOperation("describe"))->Prepare(layout, {});
  ASSERT_THAT(plan, IsOk());
  Bytes left = (*plan)->Begin({});
  EXPECT_THAT((*plan)->Combine(left, Bytes(5)),
              HasCode(absl::StatusCode::kInternal));
  Bytes right = (*plan)->Begin({});
  const std::int64_t count = 2;
  std::memcpy(right.data() + 16, &count, 8);
  EXPECT_THAT((*plan)->Combine(left, right),
              HasCode(absl::StatusCode::kInternal));
  EXPECT_THAT((*plan)->Finish(left, {}, 0),
              HasCode(absl::StatusCode::kInternal));
}

TEST(Describe, OfNoRowsCountsNothing) {
  const auto got = Compute("describe", Column({}));
  ASSERT_THAT(got, IsOk());
  EXPECT_THAT(NumbersOf<std::int64_t>((*got)[0]), ElementsAre(0));
  EXPECT_TRUE(std::isnan(NumbersOf<double>((*got)[6])[0]));
}

TEST(Describe, RefusesWhatHasNoColumns) {
  MatrixLayout layout;
  layout.shape = {2, 2, 2};
  const Operation& describe = **FindOperation("describe");
  EXPECT_THAT(describe.Prepare(layout, {}),
              HasCode(absl::StatusCode::kInvalidArgument));
  layout.shape = {2, 2};
  layout.type = ElementType::kComplex64;
  EXPECT_THAT(describe.Prepare(layout, {}),
              HasCode(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace hearth
