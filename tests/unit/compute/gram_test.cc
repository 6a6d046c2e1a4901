#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "hearth/compute/operations/dense.h"
#include "hearth/compute/share.h"
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

MadeArray Uniform(ElementType type, Order order, std::int64_t rows,
                  std::int64_t columns, std::int64_t misaligned = 0) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> uniform(-1, 1);
  const bool whole = !IsFloat(type) && !IsComplex(type);
  return Make(
      type, order, {rows, columns},
      [&](std::int64_t) {
        const double re = uniform(random), im = uniform(random);
        return whole ? std::complex<double>(std::floor(50 * re), 0)
                     : std::complex<double>(re, im);
      },
      misaligned);
}

// The same sums in long double; absolute error allowed a product.
void ExpectGram(const MadeArray& x, const ResultArray& got, double tolerance) {
  const auto values = ValuesOf(x);
  const auto result = ValuesOf(got);
  const std::int64_t rows = x.layout.shape[0], columns = x.layout.shape[1];
  ASSERT_EQ(got.shape, (Shape{columns, columns}));
  for (std::int64_t i = 0; i < columns; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      std::complex<long double> sum = 0;
      for (std::int64_t r = 0; r < rows; ++r) {
        sum += std::conj(std::complex<long double>(
                   values[static_cast<std::size_t>(r * columns + i)])) *
               std::complex<long double>(
                   values[static_cast<std::size_t>(r * columns + j)]);
      }
      const auto error = std::abs(
          sum - std::complex<long double>(
                    result[static_cast<std::size_t>(i * columns + j)]));
      ASSERT_LE(static_cast<double>(error), tolerance) << i << ", " << j;
    }
  }
}

TEST(Gram, IsTheProductOfEveryTwoColumnsInEitherOrder) {
  for (const Order order : {Order::kC, Order::kFortran}) {
    const MadeArray x = Uniform(ElementType::kFloat64, order, 30011, 13);
    const auto got = RunSerially(GramOperation(), x.layout, x.data());
    ASSERT_THAT(got, IsOk());
    EXPECT_EQ((*got)[0].type, ElementType::kFloat64);
    ExpectGram(x, (*got)[0], 1e-10);
  }
}

TEST(Gram, OfComplexColumnsIsHermitian) {
  for (const Order order : {Order::kC, Order::kFortran}) {
    for (const auto type :
         {ElementType::kComplex64, ElementType::kComplex128}) {
      const MadeArray x = Uniform(type, order, 2003, 9);
      const auto got = RunSerially(GramOperation(), x.layout, x.data());
      ASSERT_THAT(got, IsOk());
      EXPECT_EQ((*got)[0].type, type);
      ExpectGram(x, (*got)[0], type == ElementType::kComplex64 ? 1e-4 : 1e-11);
    }
  }
}

TEST(Gram, RoundsSmallFloatsOnceAndIntegersNotAtAll) {
  for (const Order order : {Order::kC, Order::kFortran}) {
    const MadeArray singles = Uniform(ElementType::kFloat32, order, 5000, 6);
    auto got = RunSerially(GramOperation(), singles.layout, singles.data());
    ASSERT_THAT(got, IsOk());
    EXPECT_EQ((*got)[0].type, ElementType::kFloat32);
    ExpectGram(singles, (*got)[0],
               5000 * 0x1p-24);  // half a unit of the last place

    const MadeArray whole = Uniform(ElementType::kInt16, order, 5000, 6);
    got = RunSerially(GramOperation(), whole.layout, whole.data());
    ASSERT_THAT(got, IsOk());
    EXPECT_EQ((*got)[0].type, ElementType::kFloat64);
    ExpectGram(whole, (*got)[0], 0);
  }
}

TEST(Gram, HasTheSameBitsMisalignedAndInForeignByteOrder) {
  for (const Order order : {Order::kC, Order::kFortran}) {
    for (const auto type : {ElementType::kFloat64, ElementType::kComplex128,
                            ElementType::kFloat32}) {
      const MadeArray x = Uniform(type, order, 20000, 17);
      const auto expected = RunSerially(GramOperation(), x.layout, x.data());
      ASSERT_THAT(expected, IsOk());

      MadeArray moved = Uniform(type, order, 20000, 17, 3);
      moved.layout.byte_order = ByteOrder::kForeign;
      const auto got = RunSerially(GramOperation(), moved.layout, moved.data());
      ASSERT_THAT(got, IsOk());
      EXPECT_EQ((*got)[0].bytes, (*expected)[0].bytes);
    }
  }
}

TEST(Gram, OfNoRowsIsZero) {
  const MadeArray x = Uniform(ElementType::kFloat64, Order::kC, 0, 3);
  const auto got = RunSerially(GramOperation(), x.layout, x.data());
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ((*got)[0].bytes, Bytes(72));
  const MadeArray thin = Uniform(ElementType::kFloat64, Order::kFortran, 3, 0);
  EXPECT_THAT(RunSerially(GramOperation(), thin.layout, thin.data()), IsOk());
}

TEST(Gram, RefusesWhatHasNotTwoAxesOrTooManyColumns) {
  MatrixLayout layout;
  layout.shape = {4, 4, 4};
  EXPECT_THAT(GramOperation().Prepare(layout, {}),
              HasCode(absl::StatusCode::kInvalidArgument));
  layout.shape = {10, 100000};
  EXPECT_THAT(GramOperation().Prepare(layout, {}),
              HasCode(absl::StatusCode::kResourceExhausted));
}

TEST(Gram, RefusesAPartialOfAnotherSize) {
  MatrixLayout layout;
  layout.shape = {10, 4};
  const auto plan = GramOperation().Prepare(layout, {});
  ASSERT_THAT(plan, IsOk());
  Bytes left = (*plan)->Begin({});
  EXPECT_THAT((*plan)->Combine(left, Bytes(7)),
              HasCode(absl::StatusCode::kInternal));
  EXPECT_THAT((*plan)->Finish(Bytes(7), {}, 0),
              HasCode(absl::StatusCode::kInternal));
}

// Blocks of 512 rows: BLAS gets those of two at once, and all of them once.
TEST(Gram, TakesTheRowsOfSeveralBlocksTogether) {
  for (const Order order : {Order::kC, Order::kFortran}) {
    std::int64_t next = 0;
    const MadeArray x =
        Make(ElementType::kFloat64, order, {16'900, 160}, [&](std::int64_t) {
          return std::complex<double>(static_cast<double>(next++ % 7 - 3), 0);
        });
    const auto plan = GramOperation().Prepare(x.layout, {});
    ASSERT_THAT(plan, IsOk());
    EXPECT_TRUE((*plan)->needs_whole_matrix());
    const auto got = RunSerially(GramOperation(), x.layout, x.data(), {});
    ASSERT_THAT(got, IsOk());
    const auto values = ValuesOf(x);
    const auto result = ValuesOf(got->front());
    for (const std::size_t j :
         {std::size_t{0}, std::size_t{1}, std::size_t{159}}) {
      double sum = 0;
      for (std::size_t r = 0; r < 16'900; ++r)
        sum += values[r * 160].real() * values[r * 160 + j].real();
      EXPECT_EQ(result[j].real(), sum) << j;
    }
  }
}

TEST(ShareOf, IsConsecutiveAndCoversEverything) {
  for (const std::int64_t total : {0, 1, 63, 64, 65, 1000, 100000}) {
    for (const std::int64_t blocks : {1, 2, 7, 256}) {
      std::int64_t at = 0;
      for (std::int64_t i = 0; i < blocks; ++i) {
        const Share share = ShareOf(total, i, blocks, 64);
        EXPECT_EQ(share.begin, at);
        EXPECT_LE(share.begin, share.end);
        at = share.end;
      }
      EXPECT_EQ(at, total);
    }
  }
}

}  // namespace
}  // namespace hearth
