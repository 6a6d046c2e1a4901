#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "hearth/compute/operations/dense.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/compute/made_array.h"

namespace hearth {
namespace {

using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::MadeArray;
using testing::Make;
using testing::RunSerially;
using testing::ValuesOf;

MadeArray Factor(ElementType type, Order order, Shape shape,
                 std::int64_t misaligned = 0) {
  std::mt19937_64 random(static_cast<std::uint64_t>(shape[0]));
  std::uniform_real_distribution<double> uniform(-1, 1);
  const bool whole = !IsFloat(type) && !IsComplex(type);
  return Make(
      type, order, std::move(shape),
      [&](std::int64_t) {
        const std::complex<double> value(uniform(random), uniform(random));
        return whole ? std::complex<double>(
                           std::fabs(std::floor(100 * value.real())), 0)
                     : value;
      },
      misaligned);
}

// `b` lies at an address that is `misaligned` bytes off.
absl::StatusOr<std::vector<ResultArray>> Times(const MadeArray& x,
                                               const MadeArray& b,
                                               std::size_t misaligned = 1) {
  const Bytes stored = b.Stored();
  Bytes moved(stored.size() + misaligned);
  std::copy(stored.begin(), stored.end(),
            moved.begin() + static_cast<std::ptrdiff_t>(misaligned));
  Arguments arguments;
  arguments.matrices["b"] = {
      b.layout, std::span<const std::byte>(moved).subspan(misaligned)};
  return RunSerially(MatmulOperation(), x.layout, x.data(), arguments);
}

// Some elements, in long double.
void ExpectMatrixProduct(const MadeArray& x, const MadeArray& b,
                         const ResultArray& got, double tolerance) {
  const auto left = ValuesOf(x), right = ValuesOf(b), result = ValuesOf(got);
  const auto rows = static_cast<std::size_t>(x.layout.shape[0]);
  const auto inner = static_cast<std::size_t>(x.layout.shape[1]);
  const auto columns = static_cast<std::size_t>(b.layout.shape[1]);
  ASSERT_EQ(result.size(), rows * columns);
  const std::size_t step = rows * columns > 4000 ? 97 : 1;
  for (std::size_t at = 0; at < result.size(); at += step) {
    std::complex<long double> sum = 0;
    for (std::size_t k = 0; k < inner; ++k) {
      sum += std::complex<long double>(left[at / columns * inner + k]) *
             std::complex<long double>(right[k * columns + at % columns]);
    }
    const auto error = std::abs(sum - std::complex<long double>(result[at]));
    ASSERT_LE(static_cast<double>(error), tolerance) << at;
  }
}

struct Types {
  ElementType x, b, result;
  double tolerance;
};

const Types kProducts[] = {
    {ElementType::kFloat64, ElementType::kFloat64, ElementType::kFloat64,
     1e-12},
    {ElementType::kFloat32, ElementType::kFloat32, ElementType::kFloat32, 7e-6},
    {ElementType::kFloat16, ElementType::kFloat16, ElementType::kFloat16, 0.05},
    {ElementType::kFloat32, ElementType::kFloat64, ElementType::kFloat64,
     1e-12},
    {ElementType::kBfloat16, ElementType::kFloat16, ElementType::kFloat32,
     7e-6},
    {ElementType::kInt32, ElementType::kInt8, ElementType::kInt32, 0},
    {ElementType::kInt32, ElementType::kUint32, ElementType::kInt64, 0},
    {ElementType::kInt64, ElementType::kUint64, ElementType::kFloat64, 1e-6},
    {ElementType::kInt8, ElementType::kFloat32, ElementType::kFloat32, 1e-3},
    {ElementType::kComplex64, ElementType::kFloat64, ElementType::kComplex128,
     1e-12},
    {ElementType::kFloat32, ElementType::kComplex64, ElementType::kComplex64,
     2e-5},
    {ElementType::kComplex128, ElementType::kComplex64,
     ElementType::kComplex128, 1e-12},
};

TEST(Matmul, GivesARowARowOfNumPysResultType) {
  for (const Types& c : kProducts) {
    for (const Order order : {Order::kC, Order::kFortran}) {
      for (const Order b_order : {Order::kC, Order::kFortran}) {
        for (const std::int64_t inner : {1, 7, 300}) {
          for (const std::int64_t columns : {1, 5, 270}) {
            const MadeArray x = Factor(c.x, order, {31, inner}, 1);
            const MadeArray b = Factor(c.b, b_order, {inner, columns});
            const auto got = Times(x, b);
            ASSERT_THAT(got, IsOk());
            EXPECT_EQ((*got)[0].type, c.result);
            EXPECT_EQ((*got)[0].shape, (Shape{31, columns}));
            ExpectMatrixProduct(x, b, (*got)[0], c.tolerance);
          }
        }
      }
    }
  }
}

TEST(Matmul, OfBoolsAsksWhetherAnyPairIsTrue) {
  const MadeArray x = Make(ElementType::kBool, Order::kC, {2, 2},
                           [](std::int64_t i) { return i < 2; });
  const auto got = Times(x, x);
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ((*got)[0].type, ElementType::kBool);
  EXPECT_EQ((*got)[0].bytes,
            (Bytes{std::byte{1}, std::byte{1}, std::byte{0}, std::byte{0}}));
}

TEST(Matmul, OfIntegersWraps) {
  const MadeArray x = Make(ElementType::kInt8, Order::kC, {1, 2},
                           [](std::int64_t) { return 100; });
  const MadeArray b = Make(ElementType::kInt8, Order::kFortran, {2, 1},
                           [](std::int64_t) { return 1; });
  EXPECT_EQ(ValuesOf((*Times(x, b))[0])[0].real(), -56);
}

// Several panels, blocks that take the rows of their neighbours, and tiles of
// both matrices; then rows and columns that are longer than a block.
TEST(Matmul, TakesMatricesOfEveryShape) {
  struct Shapes {
    std::int64_t rows, inner, columns;
  };
  for (const Shapes& s :
       {Shapes{9001, 160, 3}, Shapes{300, 2500, 2100}, Shapes{40'001, 20, 2},
        Shapes{3, 2'200'000, 2}, Shapes{2'200'000, 3, 2}}) {
    for (const Order order : {Order::kC, Order::kFortran}) {
      const MadeArray x =
          Factor(ElementType::kFloat64, order, {s.rows, s.inner});
      const MadeArray b =
          Factor(ElementType::kFloat64, Order::kC, {s.inner, s.columns});
      const auto got = Times(x, b);
      ASSERT_THAT(got, IsOk());
      ExpectMatrixProduct(x, b, (*got)[0], 1e-8);
    }
  }
}

TEST(Matmul, HasTheSameBitsMisalignedAndInForeignByteOrder) {
  for (const auto type : {ElementType::kFloat64, ElementType::kComplex128,
                          ElementType::kFloat32}) {
    for (const Order order : {Order::kC, Order::kFortran}) {
      for (const std::int64_t columns : {1, 9, 40}) {
        const MadeArray x = Factor(type, order, {12'000, 50});
        const MadeArray b = Factor(type, order, {50, columns});
        const auto expected = Times(x, b, 0);
        ASSERT_THAT(expected, IsOk());
        MadeArray moved = Factor(type, order, {12'000, 50}, 3);
        MadeArray foreign = b;
        moved.layout.byte_order = ByteOrder::kForeign;
        foreign.layout.byte_order = ByteOrder::kForeign;
        const auto got = Times(moved, foreign, 5);
        ASSERT_THAT(got, IsOk());
        EXPECT_EQ((*got)[0].bytes, (*expected)[0].bytes);
      }
    }
  }
}

TEST(Matmul, HasTheOneNaN) {
  const MadeArray x =
      Make(ElementType::kFloat64, Order::kC, {2, 2},
           [](std::int64_t i) { return i == 0 ? HUGE_VAL : 1; });
  const MadeArray b = Make(ElementType::kFloat64, Order::kC, {2, 2},
                           [](std::int64_t i) { return i == 0 ? 0 : 1; });
  const auto got = Times(x, b);
  ASSERT_THAT(got, IsOk());
  std::uint64_t bits = 0;
  std::memcpy(&bits, (*got)[0].bytes.data(), 8);
  EXPECT_EQ(bits, 0x7ff8000000000000);
  EXPECT_EQ(ValuesOf((*got)[0])[1].real(), HUGE_VAL);
}

TEST(Matmul, TakesMatricesWithoutElements) {
  for (const Order order : {Order::kC, Order::kFortran}) {
    const MadeArray none = Factor(ElementType::kFloat64, order, {3, 0});
    const MadeArray b = Factor(ElementType::kFloat64, order, {0, 4});
    auto got = Times(none, b);
    ASSERT_THAT(got, IsOk());
    EXPECT_EQ((*got)[0].shape, (Shape{3, 4}));
    EXPECT_EQ((*got)[0].bytes, Bytes(96));
    const MadeArray empty = Factor(ElementType::kFloat64, order, {0, 3});
    got = Times(empty, none);
    ASSERT_THAT(got, IsOk());
    EXPECT_EQ((*got)[0].shape, (Shape{0, 0}));
    const MadeArray some = Factor(ElementType::kFloat64, order, {4, 3});
    EXPECT_EQ((*Times(some, none))[0].shape, (Shape{4, 0}));
    EXPECT_EQ(
        (*Times(empty, Factor(ElementType::kFloat64, order, {3, 2})))[0].shape,
        (Shape{0, 2}));
  }
}

TEST(Matmul, OfAVectorIsMatvec) {
  const MadeArray x = Factor(ElementType::kFloat64, Order::kC, {30, 4});
  const MadeArray v = Factor(ElementType::kFloat64, Order::kC, {4});
  const auto got = Times(x, v);
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ((*got)[0].shape, Shape{30});
  const Bytes stored = v.Stored();
  Arguments arguments;
  arguments.matrices["v"] = {v.layout, stored};
  EXPECT_EQ((*got)[0].bytes,
            (*RunSerially(MatvecOperation(), x.layout, x.data(), arguments))[0]
                .bytes);
}

TEST(Matmul, RefusesWhatDoesNotFitNamingBoth) {
  const MadeArray x = Factor(ElementType::kFloat64, Order::kC, {3, 4});
  const auto got = Times(x, x);
  EXPECT_THAT(got, HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(std::string(got.status().message()),
              ::testing::AllOf(HasSubstr("3 rows"), HasSubstr("4 columns")));
  EXPECT_THAT(Times(x, Factor(ElementType::kFloat64, Order::kC, {4, 1, 1})),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(RunSerially(MatmulOperation(), x.layout, x.data()),
              HasCode(absl::StatusCode::kInvalidArgument));
}

TEST(Matmul, RefusesResultsThatNobodyCouldHold) {
  MatrixLayout layout;
  layout.shape = {std::int64_t{1} << 40, 0};
  Arguments arguments;
  arguments.matrices["b"].layout.shape = {0, std::int64_t{1} << 40};
  EXPECT_THAT(MatmulOperation().Prepare(layout, arguments),
              HasCode(absl::StatusCode::kResourceExhausted));
  layout.shape = {std::int64_t{1} << 40, 1};  // 2^21 rows a block
  const Bytes row(8 * 4000);
  arguments.matrices["b"] = {layout, row};
  arguments.matrices["b"].layout.shape = {1, 4000};
  EXPECT_THAT(MatmulOperation().Prepare(layout, arguments),
              HasCode(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace hearth
