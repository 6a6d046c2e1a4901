#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hearth/compute/registry.h"
#include "hearth/compute/selection/lane_quantiles.h"
#include "hearth/compute/selection/quantile_rule.h"
#include "hearth/compute/selection/selection_state.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/compute/made_array.h"

namespace hearth {
namespace {

using testing::HasCode;
using testing::IsOk;
using testing::MadeArray;
using testing::Make;
using testing::RunSerially;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Values = std::function<double(std::mt19937_64&)>;

MadeArray Random(ElementType type, Order order, Shape shape,
                 const Values& values) {
  std::mt19937_64 random(5);
  return Make(type, order, std::move(shape), [&](std::int64_t) {
    return std::complex<double>(values(random), 0);
  });
}

double Normal(std::mt19937_64& random) {
  return std::normal_distribution<double>()(random);
}
// Many equal ones, both zeros, and a few that are infinite.
double Few(std::mt19937_64& random) {
  const double value = std::round(2 * Normal(random));
  if (value == 5) return kInfinity;
  if (value == -5) return -kInfinity;
  return value == 0 && random() % 2 == 0 ? -0.0 : value;
}
// Each in a binade of its own, as a histogram of keys likes best and worst.
double Wide(std::mt19937_64& random) {
  return Normal(random) * std::exp(100 * Normal(random));
}
// Two narrow clusters: the middle two are far from one another.
double Clusters(std::mt19937_64& random) {
  return (random() % 2 == 0 ? 1e9 : -1e-9) + 1e-12 * Normal(random);
}

double Evaluate(const char* operation, const MadeArray& x,
                const std::map<std::string, std::string>& text,
                std::vector<double>* all = nullptr) {
  const auto found = FindOperation(operation);
  EXPECT_THAT(found, IsOk());
  const auto got = RunSerially(**found, x.layout, x.data(), {text, {}});
  EXPECT_THAT(got, IsOk());
  if (!got.ok()) return kNan;
  std::vector<double> values;
  for (const auto& value : testing::ValuesOf((*got)[0])) {
    values.push_back(value.real());
  }
  if (all != nullptr) *all = values;
  return values.empty() ? kNan : values[0];
}

// Sorted, -0.0 before 0.0.
std::vector<double> SortedColumn(const MadeArray& x, std::int64_t column) {
  const auto values = testing::ValuesOf(x);
  std::vector<double> sorted;
  const std::int64_t columns =
      x.layout.shape.size() > 1 ? x.layout.shape[1] : 1;
  for (std::size_t i = static_cast<std::size_t>(column); i < values.size();
       i += static_cast<std::size_t>(columns)) {
    sorted.push_back(values[i].real());
  }
  std::sort(sorted.begin(), sorted.end(), [](double a, double b) {
    return a != b ? a < b : std::signbit(a) && !std::signbit(b);
  });
  return sorted;
}

TEST(Quantile, EqualsAFullSortOfEveryColumnBitByBit) {
  // Large enough to be sampled, counted and collected.
  for (const Order order : {Order::kC, Order::kFortran}) {
    for (const Values& values :
         {Values(Normal), Values(Few), Values(Wide), Values(Clusters)}) {
      const MadeArray x =
          Random(ElementType::kFloat64, order, {300'001, 5}, values);
      std::vector<double> got;
      const std::vector<double> q = {0, 0.001, 0.25, 0.5, 0.9, 1};
      Evaluate(
          "quantile", x,
          {{"axis", "0"}, {"q", absl::StrJoin(q, ",")}, {"method", "lower"}},
          &got);
      ASSERT_EQ(got.size(), q.size() * 5);
      for (std::int64_t column = 0; column < 5; ++column) {
        const auto sorted = SortedColumn(x, column);
        for (std::size_t i = 0; i < q.size(); ++i) {
          const auto rank = static_cast<std::size_t>(300'000 * q[i]);
          EXPECT_EQ(std::bit_cast<std::uint64_t>(
                        got[i * 5 + static_cast<std::size_t>(column)]),
                    std::bit_cast<std::uint64_t>(sorted[rank]))
              << q[i] << " of column " << column;
        }
      }
    }
  }
}

// More intervals of a lane than keys are compared with one by one.
TEST(Quantile, OfAThousandPlacesEqualsAFullSort) {
  const std::pair<Shape, std::size_t> cases[] = {{{1'200'000, 1}, 2001},
                                                 {{120'000, 12}, 401}};
  for (const auto& [shape, places] : cases) {
    for (const Values& values : {Values(Normal), Values(Few), Values(Wide)}) {
      const MadeArray x =
          Random(ElementType::kFloat64, Order::kC, shape, values);
      std::vector<std::string> q;
      for (std::size_t i = 0; i < places; ++i) {
        q.push_back(absl::StrCat(static_cast<double>(i) /
                                 static_cast<double>(places - 1)));
      }
      std::vector<double> got;
      Evaluate(
          "quantile", x,
          {{"axis", "0"}, {"q", absl::StrJoin(q, ",")}, {"method", "lower"}},
          &got);
      const auto columns = static_cast<std::size_t>(shape[1]);
      ASSERT_EQ(got.size(), places * columns);
      const auto rule = *QuantileRule::Make(
          [&] {
            std::vector<double> numbers;
            for (const std::string& text : q) numbers.push_back(stod(text));
            return numbers;
          }(),
          "lower");
      std::size_t differ = 0;
      for (std::size_t column = 0; column < columns; ++column) {
        const auto sorted = SortedColumn(x, static_cast<std::int64_t>(column));
        for (std::size_t i = 0; i < places; ++i) {
          const auto place = rule.PlaceOf(static_cast<int>(i), shape[0]);
          differ +=
              std::bit_cast<std::uint64_t>(got[i * columns + column]) ==
                      std::bit_cast<std::uint64_t>(
                          sorted[static_cast<std::size_t>(place.previous)])
                  ? 0
                  : 1;
        }
      }
      EXPECT_EQ(differ, 0u) << ToString(shape);
    }
  }
}

TEST(Median, IsTheMeanOfTheMiddleTwoOfAllElements) {
  for (const Values& values :
       {Values(Normal), Values(Wide), Values(Clusters)}) {
    const MadeArray x =
        Random(ElementType::kFloat64, Order::kC, {1'500'000}, values);
    const auto sorted = SortedColumn(x, 0);
    EXPECT_EQ(Evaluate("median", x, {}),
              (sorted[749'999] + sorted[750'000]) / 2);
  }
}

// Too near to zero for bins of the same width: their number a unit is infinite.
TEST(Median, FindsTheMiddleOfNumbersBesideZero) {
  const MadeArray x =
      Random(ElementType::kFloat64, Order::kC, {1'200'000},
             [](std::mt19937_64& random) { return 1e-310 * Normal(random); });
  const auto sorted = SortedColumn(x, 0);
  EXPECT_EQ(Evaluate("median", x, {}), (sorted[599'999] + sorted[600'000]) / 2);
}

TEST(Quantile, FindsIntegersOf64BitsThatFloatsCantTellApart) {
  const MadeArray x =
      Make(ElementType::kInt64, Order::kC, {1'200'000}, [](std::int64_t i) {
        return static_cast<double>(std::int64_t{1} << 60) +
               1024.0 * static_cast<double>(i * 7919 % 1'200'000);
      });
  EXPECT_EQ(Evaluate("quantile", x, {{"q", "0.25"}, {"method", "higher"}}),
            static_cast<double>(std::int64_t{1} << 60) + 1024.0 * 300'000);
}

TEST(Quantile, IsNanInLanesThatHaveOneAndOnlyThere) {
  MadeArray x = Random(ElementType::kFloat32, Order::kC, {400'000, 3}, Normal);
  const float nan = -std::numeric_limits<float>::quiet_NaN();
  std::memcpy(x.bytes.data() + (123'456 * 3 + 1) * 4, &nan, 4);
  std::vector<double> got;
  Evaluate("median", x, {{"axis", "0"}}, &got);
  ASSERT_EQ(got.size(), 3u);
  EXPECT_FALSE(std::isnan(got[0]));
  EXPECT_TRUE(std::isnan(got[1]));
  EXPECT_FALSE(std::isnan(got[2]));
}

TEST(Quantile, TakesRowsWithinABlockOneByOne) {
  const MadeArray x =
      Random(ElementType::kFloat64, Order::kC, {3000, 401}, Normal);
  std::vector<double> got;
  Evaluate("quantile", x, {{"axis", "1"}, {"q", "0.5"}}, &got);
  const auto values = testing::ValuesOf(x);
  ASSERT_EQ(got.size(), 3000u);
  for (std::size_t row = 0; row < 3000; row += 97) {
    std::vector<double> sorted;
    for (std::size_t k = 0; k < 401; ++k)
      sorted.push_back(values[row * 401 + k].real());
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(got[row], sorted[200]);
  }
}

// Too many lanes to count in, and their quantiles are not side by side.
TEST(Quantile, OfManyShortLanesStandOneAfterTheOther) {
  for (const int axis : {0, 1, 2}) {
    Shape shape = {401, 399, 401};
    shape[static_cast<std::size_t>(axis)] = 3;
    const MadeArray x =
        Random(ElementType::kFloat64, Order::kC, shape, [](auto& random) {
          return random() % 1000 == 0 ? kNan : Normal(random);
        });
    const std::vector<std::string> q = {"0.1", "0.9", "0.5"};
    std::vector<double> all;
    Evaluate("quantile", x,
             {{"axis", absl::StrCat(axis)}, {"q", absl::StrJoin(q, ",")}},
             &all);
    for (std::size_t i = 0; i < q.size(); ++i) {
      std::vector<double> one;
      Evaluate("quantile", x, {{"axis", absl::StrCat(axis)}, {"q", q[i]}},
               &one);
      ASSERT_EQ(all.size(), one.size() * q.size());
      std::size_t differ = 0;
      for (std::size_t k = 0; k < one.size(); ++k) {
        const double found = all[i * one.size() + k];
        differ += found == one[k] || (std::isnan(found) && std::isnan(one[k]))
                      ? 0
                      : 1;
      }
      EXPECT_EQ(differ, 0u) << q[i] << " along axis " << axis;
    }
  }
}

TEST(Quantile, GathersShortLanesAndCountsInLongOnes) {
  const auto gathers = [](const char* operation, Shape shape) {
    MatrixLayout layout;
    layout.shape = std::move(shape);
    std::map<std::string, std::string> text;
    if (std::string(operation) == "median") text["axis"] = "0";
    const auto plan = (*FindOperation(operation))->Prepare(layout, {text, {}});
    EXPECT_THAT(plan, IsOk());
    return plan.ok() && (*plan)->needs_whole_matrix();
  };
  for (const char* operation : {"median", "describe"}) {
    EXPECT_TRUE(gathers(operation, {40, 65'536}));
    EXPECT_TRUE(gathers(operation, {400, 3000}));
    EXPECT_TRUE(gathers(operation, {2000, 60'000}));
    EXPECT_TRUE(gathers(operation, {1'000'000, 1}));
    EXPECT_FALSE(gathers(operation, {100'000, 40}));
    EXPECT_FALSE(gathers(operation, {10'000, 2000}));
    EXPECT_FALSE(gathers(operation, {2'000'000, 1}));
    EXPECT_FALSE(gathers(operation, {20'000, 10'000}));
    EXPECT_TRUE(gathers(operation, {3000, 40'000}));
    // 1.2 GiB: a matrix in pieces would be brought to each of its hosts.
    EXPECT_FALSE(gathers(operation, {8000, 20'000}));
  }
}

TEST(PlaceRanks, PutsElementsWhereASortWould) {
  std::mt19937_64 random(7);
  for (const std::size_t count : {1u, 2u, 50u, 5000u}) {
    for (const std::size_t every : {1u, 3u, 40u, 900u}) {
      std::vector<std::int64_t> keys(count);
      for (auto& key : keys) key = static_cast<std::int64_t>(random() % 1000);
      std::vector<std::int64_t> sorted = keys;
      std::sort(sorted.begin(), sorted.end());
      std::vector<std::int64_t> ranks;
      for (std::size_t i = every / 2; i < count; i += 1 + random() % every) {
        ranks.push_back(static_cast<std::int64_t>(i));
      }
      PlaceRanks(keys.data(), static_cast<std::int64_t>(count), ranks);
      for (const std::int64_t rank : ranks) {
        EXPECT_EQ(keys[static_cast<std::size_t>(rank)],
                  sorted[static_cast<std::size_t>(rank)]);
      }
    }
  }
}

TEST(Quantile, GivesNothingForNothingAndRefusesTheQuantileOfNoElements) {
  const MadeArray x = Random(ElementType::kFloat64, Order::kC, {0, 3}, Normal);
  EXPECT_TRUE(std::isnan(Evaluate("median", x, {{"axis", "0"}})));
  EXPECT_THAT(RunSerially(**FindOperation("quantile"), x.layout, x.data(),
                          {{{"axis", "0"}}, {}}),
              HasCode(absl::StatusCode::kInvalidArgument));
}

TEST(Quantile, RefusesAQOutsideItsRangeAMethodItHasNotAndComplexNumbers) {
  const Operation& quantile = **FindOperation("quantile");
  EXPECT_THAT(quantile.CheckUsage({{"q", "2"}}),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(quantile.CheckUsage({{"q", "nan"}}),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(quantile.CheckUsage({{"method", "nonsense"}}),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(quantile.CheckUsage({{"q", "0.1,0.2"}}), IsOk());
  MatrixLayout layout;
  layout.type = ElementType::kComplex64;
  layout.shape = {3};
  EXPECT_THAT(quantile.Prepare(layout, {}),
              HasCode(absl::StatusCode::kInvalidArgument));
}

TEST(QuantileRule, NamesNoPlaceOutsideByAnyMethod) {
  for (const auto method :
       {"inverted_cdf", "averaged_inverted_cdf", "closest_observation",
        "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased",
        "normal_unbiased"}) {
    const auto rule = *QuantileRule::Make({0, 1e-300, 0.5, 1}, method);
    for (const std::int64_t elements :
         {std::int64_t{1}, std::int64_t{2}, std::int64_t{1} << 60}) {
      for (int i = 0; i < rule.count(); ++i) {
        const auto place = rule.PlaceOf(i, elements);
        EXPECT_GE(place.previous, 0) << method;
        EXPECT_LE(place.previous, place.next) << method;
        EXPECT_LT(place.next, elements) << method;
      }
    }
  }
}

TEST(QuantileRule, InterpolatesBetweenInfinitiesWithoutMakingNan) {
  const auto rule = *QuantileRule::Make({0.75}, "linear");
  const auto place = rule.PlaceOf(0, 2);
  const auto key = [](double value) {
    const auto bits = std::bit_cast<std::int64_t>(value);
    return bits ^ ((bits >> 63) & INT64_MAX);
  };
  const auto between = [&](double a, double b) {
    return rule.ValueOf(place, ElementType::kFloat64, key(a), key(b));
  };
  EXPECT_EQ(between(1, kInfinity), kInfinity);
  EXPECT_EQ(between(-kInfinity, 1), -kInfinity);
  EXPECT_EQ(between(kInfinity, kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(between(-kInfinity, kInfinity)));
  EXPECT_DOUBLE_EQ(between(-1.6e308, 1.6e308),
                   0.8e308);  // its difference overflows
}

TEST(Selection, RefusesPartialsAndStatesThatNobodyMakes) {
  const MadeArray x =
      Random(ElementType::kFloat64, Order::kC, {300'001, 5}, Normal);
  const auto plan =
      (*FindOperation("median"))->Prepare(x.layout, {{{"axis", "0"}}, {}});
  ASSERT_THAT(plan, IsOk());
  Bytes left = (*plan)->Begin({});
  EXPECT_THAT((*plan)->Combine(left, Bytes(5)),
              HasCode(absl::StatusCode::kInternal));
  EXPECT_THAT((*plan)->Combine(left, Bytes(32)),
              HasCode(absl::StatusCode::kInternal));
  EXPECT_THAT((*plan)->Finish(Bytes(7), {}, 0),
              HasCode(absl::StatusCode::kInternal));
  EXPECT_THAT((*plan)->Finish((*plan)->Begin({}), Bytes(24), 1),
              HasCode(absl::StatusCode::kInternal));
  Scratch scratch;
  Bytes partial = (*plan)->Begin(Bytes(100));
  const Partition partition(x.layout);
  EXPECT_THAT((*plan)->Accumulate({partition.Block(0), x.data(), {}},
                                  Bytes(100), scratch, partial),
              HasCode(absl::StatusCode::kInternal));
}

TEST(SelectionState, IsReadOnlyAsItIsWritten) {
  const auto key = [](double value) {
    const auto bits = std::bit_cast<std::int64_t>(value);
    return bits ^ ((bits >> 63) & INT64_MAX);
  };
  const auto parse = [&](const std::function<void(SelectionState&)>& change) {
    SelectionState state;
    state.first = true;
    state.Resize(1, 2, 4);
    state.bins_log2 = SelectionState::BinsLog2For(2);
    for (const std::size_t i : {0, 1}) {
      state.lo[i] = key(i == 0 ? -1.0 : 2.0);
      state.width[i] = static_cast<std::uint64_t>(key(i == 0 ? 1.0 : 3.0)) -
                       static_cast<std::uint64_t>(state.lo[i]);
      state.shift[i] = i == 0 ? SelectionState::kLinear : 63;
    }
    change(state);
    return SelectionState::Parse(state.Serialize(), 1, 4).status();
  };
  const auto refused = HasCode(absl::StatusCode::kInternal);
  EXPECT_THAT(parse([](SelectionState&) {}), IsOk());
  EXPECT_THAT(parse([](SelectionState& s) { s.collect = true; }), refused);
  EXPECT_THAT(parse([](SelectionState& s) { s.bins_log2 = 3; }), refused);
  EXPECT_THAT(parse([](SelectionState& s) { s.lo[1] = s.lo[0]; }), refused);
  EXPECT_THAT(parse([](SelectionState& s) { s.width[1] = UINT64_MAX; }),
              refused);
  EXPECT_THAT(
      parse([](SelectionState& s) { s.shift[0] = SelectionState::kUnused; }),
      refused);
  // An interval of linear bins so narrow that a bin is no width.
  EXPECT_THAT(parse([&](SelectionState& s) {
                s.lo[0] = key(-1e-310);
                s.width[0] = static_cast<std::uint64_t>(key(1e-310)) -
                             static_cast<std::uint64_t>(s.lo[0]);
              }),
              refused);
  EXPECT_THAT(parse([](SelectionState& s) { s.Resize(1, 2, 3); }), refused);
}

}  // namespace
}  // namespace hearth
