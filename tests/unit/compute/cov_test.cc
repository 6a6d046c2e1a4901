#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "hearth/compute/operations/dense.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/compute/made_array.h"

namespace hearth {
namespace {

using testing::HasCode;
using testing::IsOk;
using testing::MadeArray;
using testing::Make;
using testing::RunSerially;
using testing::ValuesOf;
using Long = std::complex<long double>;

// Columns that vary together: each has some of one before it.
MadeArray Together(ElementType type, Order order, std::int64_t rows,
                   std::int64_t columns, double mean,
                   std::int64_t misaligned = 0) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  std::complex<double> last = 0;
  const bool whole = !IsFloat(type) && !IsComplex(type);
  return Make(
      type, order, {rows, columns},
      [&](std::int64_t) {
        last =
            0.5 * last + std::complex<double>(normal(random), normal(random));
        const std::complex<double> value = last + mean;
        return whole ? std::complex<double>(std::floor(10 * value.real()), 0)
                     : value;
      },
      misaligned);
}

// In long double, in two passes, as np.cov has it.
std::vector<Long> Covariances(const MadeArray& x, int ddof) {
  const auto values = ValuesOf(x);
  const auto rows = static_cast<std::size_t>(x.layout.shape[0]);
  const auto columns = static_cast<std::size_t>(x.layout.shape[1]);
  std::vector<Long> means(columns), found(columns * columns);
  for (std::size_t i = 0; i < values.size(); ++i)
    means[i % columns] += Long(values[i]) / static_cast<long double>(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < columns; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        found[i * columns + j] +=
            (Long(values[r * columns + i]) - means[i]) *
            std::conj(Long(values[r * columns + j]) - means[j]);
      }
    }
  }
  for (Long& one : found)
    one /= static_cast<long double>(static_cast<int>(rows) - ddof);
  return found;
}

// Within `tolerance` of the product of both columns' deviations.
void ExpectCovariances(const MadeArray& x, const ResultArray& got, int ddof,
                       double tolerance) {
  const auto wanted = Covariances(x, ddof);
  const auto found = ValuesOf(got);
  const auto columns = static_cast<std::size_t>(x.layout.shape[1]);
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < columns; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      const long double scale = std::sqrt(wanted[i * columns + i].real() *
                                          wanted[j * columns + j].real());
      const auto error =
          std::abs(wanted[i * columns + j] - Long(found[i * columns + j]));
      ASSERT_LE(static_cast<double>(error / scale), tolerance) << i << "," << j;
    }
  }
}

absl::StatusOr<std::vector<ResultArray>> Computed(const Operation& operation,
                                                  const MadeArray& x,
                                                  const char* ddof = "1") {
  return RunSerially(operation, x.layout, x.data(),
                     {.text = {{"ddof", ddof}}, .matrices = {}});
}

TEST(Cov, IsNumPysOfTheColumnsInEitherOrder) {
  for (const Order order : {Order::kC, Order::kFortran}) {
    const MadeArray x = Together(ElementType::kFloat64, order, 30011, 13, 3);
    const auto got = Computed(CovOperation(), x);
    ASSERT_THAT(got, IsOk());
    EXPECT_EQ((*got)[0].type, ElementType::kFloat64);
    EXPECT_EQ((*got)[0].shape, (Shape{13, 13}));
    ExpectCovariances(x, (*got)[0], 1, 1e-14);
    ExpectCovariances(x, (*Computed(CovOperation(), x, "0"))[0], 0, 1e-14);
  }
}

TEST(Cov, LosesNothingToMeansThatAreFarFromZero) {
  // Deviations of 1 beside 1e9: E[xy] - E[x]E[y] would have no digit left.
  for (const Order order : {Order::kC, Order::kFortran}) {
    for (const std::int64_t rows : {2, 130, 5003, 40001}) {
      const MadeArray x = Together(ElementType::kFloat64, order, rows, 7, 1e9);
      const auto got = Computed(CovOperation(), x);
      ASSERT_THAT(got, IsOk());
      ExpectCovariances(x, (*got)[0], 1, 1e-13);
    }
  }
}

TEST(Cov, KeepsTheLastBitOfTheMean) {
  // The mean of 1 and 1 + 2u lies between two float64.
  for (const Order order : {Order::kC, Order::kFortran}) {
    const MadeArray x = Make(
        ElementType::kFloat64, order, {6000, 2},
        [](std::int64_t i) { return i / 2 % 2 == 0 ? 1.0 : 1.0 + 0x1p-52; });
    const auto got = Computed(CovOperation(), x, "0");
    ASSERT_THAT(got, IsOk());
    for (const auto value : ValuesOf((*got)[0]))
      EXPECT_DOUBLE_EQ(value.real(), 0x1p-106);
  }
}

TEST(Cov, IsFloat64OfEveryRealTypeAndComplexOfComplexOnes) {
  struct Case {
    ElementType type, result;
    double tolerance;
  };
  for (const Case& c :
       {Case{ElementType::kFloat32, ElementType::kFloat64, 1e-14},
        Case{ElementType::kFloat16, ElementType::kFloat64, 1e-14},
        Case{ElementType::kInt16, ElementType::kFloat64, 1e-14},
        Case{ElementType::kUint64, ElementType::kFloat64, 1e-14},
        Case{ElementType::kBool, ElementType::kFloat64, 1e-14},
        Case{ElementType::kBfloat16, ElementType::kFloat32, 1e-7},
        Case{ElementType::kComplex64, ElementType::kComplex128, 1e-14},
        Case{ElementType::kComplex128, ElementType::kComplex128, 1e-14}}) {
    for (const Order order : {Order::kC, Order::kFortran}) {
      const double mean = c.type == ElementType::kUint64 ? 1000 : 2;
      const MadeArray x = Together(c.type, order, 4001, 6, mean, 1);
      const auto got = Computed(CovOperation(), x);
      ASSERT_THAT(got, IsOk());
      EXPECT_EQ((*got)[0].type, c.result) << NameOf(c.type);
      ExpectCovariances(x, (*got)[0], 1, c.tolerance);
    }
  }
}

TEST(Cov, HasTheSameBitsMisalignedAndInForeignByteOrder) {
  for (const Order order : {Order::kC, Order::kFortran}) {
    for (const auto type : {ElementType::kFloat64, ElementType::kComplex128,
                            ElementType::kFloat32}) {
      const MadeArray x = Together(type, order, 20000, 17, 5);
      const auto expected = Computed(CovOperation(), x);
      ASSERT_THAT(expected, IsOk());
      MadeArray moved = Together(type, order, 20000, 17, 5, 3);
      moved.layout.byte_order = ByteOrder::kForeign;
      const auto got = Computed(CovOperation(), moved);
      ASSERT_THAT(got, IsOk());
      EXPECT_EQ((*got)[0].bytes, (*expected)[0].bytes);
    }
  }
}

TEST(Cov, OfOneRowIsNaNAndOfNoneToo) {
  for (const std::int64_t rows : {0, 1}) {
    for (const Order order : {Order::kC, Order::kFortran}) {
      for (const Operation* operation :
           {&CovOperation(), &CorrcoefOperation()}) {
        const MadeArray x = Together(ElementType::kFloat64, order, rows, 3, 1);
        const auto got = Computed(*operation, x);
        ASSERT_THAT(got, IsOk());
        ASSERT_EQ((*got)[0].shape, (Shape{3, 3}));
        for (const auto value : ValuesOf((*got)[0]))
          EXPECT_TRUE(std::isnan(value.real()));
      }
    }
  }
  const MadeArray thin = Together(ElementType::kFloat64, Order::kC, 5, 0, 1);
  const auto got = Computed(CovOperation(), thin);
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ((*got)[0].shape, (Shape{0, 0}));
}

TEST(Cov, OfMoreDegreesThanRowsIsInfiniteAsNumPys) {
  const MadeArray x = Together(ElementType::kFloat64, Order::kC, 3, 2, 1);
  const auto got = Computed(CovOperation(), x, "7");
  ASSERT_THAT(got, IsOk());
  for (const auto value : ValuesOf((*got)[0]))
    EXPECT_TRUE(std::isinf(value.real()));
}

TEST(Cov, IsNaNInTheRowAndColumnOfWhatIsNotFinite) {
  for (const double odd : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    for (const std::int64_t at : {0, 4, 39'999}) {  // first, early and last row
      for (const Order order : {Order::kC, Order::kFortran}) {
        std::mt19937_64 random(3);
        std::normal_distribution<double> normal;
        const MadeArray x = Make(
            ElementType::kFloat64, order, {40'000, 3}, [&](std::int64_t i) {
              return i == 3 * at + 1 ? odd : normal(random);
            });
        const auto got = Computed(CovOperation(), x);
        ASSERT_THAT(got, IsOk());
        const auto found = ValuesOf((*got)[0]);
        for (std::size_t i = 0; i < 9; ++i) {
          EXPECT_EQ(std::isnan(found[i].real()), i / 3 == 1 || i % 3 == 1) << i;
        }
      }
    }
  }
}

TEST(Corrcoef, IsCovOverBothDeviations) {
  for (const ElementType type :
       {ElementType::kFloat64, ElementType::kComplex128}) {
    for (const Order order : {Order::kC, Order::kFortran}) {
      const MadeArray x = Together(type, order, 3001, 9, 1e6);
      const auto got = Computed(CorrcoefOperation(), x);
      ASSERT_THAT(got, IsOk());
      const auto wanted = Covariances(x, 1);
      const auto found = ValuesOf((*got)[0]);
      for (std::size_t i = 0; i < 9; ++i) {
        EXPECT_EQ(found[i * 9 + i], std::complex<double>(1));
        for (std::size_t j = 0; j < 9; ++j) {
          const Long value = wanted[i * 9 + j] /
                             std::sqrt(wanted[i * 9 + i].real()) /
                             std::sqrt(wanted[j * 9 + j].real());
          EXPECT_LE(
              static_cast<double>(std::abs(value - Long(found[i * 9 + j]))),
              1e-14);
          EXPECT_EQ(found[i * 9 + j], std::conj(found[j * 9 + i]));
        }
      }
    }
  }
}

TEST(Corrcoef, IsNaNOfAColumnThatDoesNotVaryAndAtMostOne) {
  const MadeArray x =
      Make(ElementType::kFloat64, Order::kC, {5000, 3}, [](std::int64_t i) {
        // Twice the same column, and tenths, which are no tenths.
        return i % 3 == 2 ? 0.1 : std::sin(static_cast<double>(i / 3));
      });
  const auto got = Computed(CorrcoefOperation(), x);
  ASSERT_THAT(got, IsOk());
  const auto found = ValuesOf((*got)[0]);
  for (std::size_t i = 0; i < 9; ++i) {
    if (i / 3 == 2 || i % 3 == 2) {
      EXPECT_TRUE(std::isnan(found[i].real()));
    } else {
      EXPECT_DOUBLE_EQ(found[i].real(), 1);
      EXPECT_LE(found[i].real(), 1);
    }
  }
}

TEST(Cov, RefusesWhatItCanNotTake) {
  MatrixLayout layout;
  layout.shape = {4};
  EXPECT_THAT(CovOperation().Prepare(layout, {}),
              HasCode(absl::StatusCode::kInvalidArgument));
  layout.shape = {10, 100000};
  EXPECT_THAT(CovOperation().Prepare(layout, {}),
              HasCode(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(CovOperation().CheckUsage({{"ddof", "0.5"}}),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CorrcoefOperation().CheckUsage({{"bias", "1"}}),
              HasCode(absl::StatusCode::kInvalidArgument));
}

TEST(Cov, RefusesAPartialThatNoBeginMakes) {
  MatrixLayout layout;
  layout.shape = {10, 4};
  const auto plan = CovOperation().Prepare(layout, {});
  ASSERT_THAT(plan, IsOk());
  Bytes left = (*plan)->Begin({});
  EXPECT_THAT((*plan)->Combine(left, Bytes(7)),
              HasCode(absl::StatusCode::kInternal));
  EXPECT_THAT((*plan)->Finish(Bytes(7), {}, 0),
              HasCode(absl::StatusCode::kInternal));
  Bytes right = (*plan)->Begin({});
  right.back() = std::byte{0xff};  // rows: fewer than none
  EXPECT_THAT((*plan)->Combine(left, right),
              HasCode(absl::StatusCode::kInternal));
}

}  // namespace
}  // namespace hearth
