#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "hearth/compute/kernels/kernel.h"
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

MadeArray Uniform(ElementType type, Order order, Shape shape,
                  std::int64_t misaligned = 0) {
  std::mt19937_64 random(11);
  std::uniform_real_distribution<double> uniform(-1, 1);
  const double scale = IsFloat(type) || IsComplex(type) ? 1 : 100;
  return Make(
      type, order, std::move(shape),
      [&](std::int64_t) {
        const double re = uniform(random), im = uniform(random);
        const std::complex<double> value(scale * re, scale * im);
        return scale == 1 ? value
                          : std::complex<double>(
                                std::fabs(std::floor(value.real())), 0);
      },
      misaligned);
}

absl::StatusOr<std::vector<ResultArray>> Multiply(const Operation& operation,
                                                  const MadeArray& x,
                                                  const MadeArray& v) {
  const Bytes stored = v.Stored();
  Bytes moved(stored.size() + 1);  // at an odd address
  std::copy(stored.begin(), stored.end(), moved.begin() + 1);
  Arguments arguments;
  arguments.matrices["v"] = {v.layout,
                             std::span<const std::byte>(moved).subspan(1)};
  return RunSerially(operation, x.layout, x.data(), arguments);
}

// Products and sums in long double; `tolerance` for each result.
void ExpectProduct(const MadeArray& x, const MadeArray& v, bool transposed,
                   const ResultArray& got, double tolerance) {
  const auto a = ValuesOf(x), b = ValuesOf(v), result = ValuesOf(got);
  const std::int64_t rows = x.layout.shape[0], columns = x.layout.shape[1];
  const std::int64_t count = transposed ? columns : rows;
  ASSERT_EQ(got.shape, Shape{count});
  for (std::int64_t i = 0; i < count; ++i) {
    std::complex<long double> sum = 0;
    for (std::int64_t k = 0; k < (transposed ? rows : columns); ++k) {
      const std::int64_t at = transposed ? k * columns + i : i * columns + k;
      sum += std::complex<long double>(a[static_cast<std::size_t>(at)]) *
             std::complex<long double>(b[static_cast<std::size_t>(k)]);
    }
    const auto error = std::abs(
        sum - std::complex<long double>(result[static_cast<std::size_t>(i)]));
    ASSERT_LE(static_cast<double>(error), tolerance) << i;
  }
}

struct Case {
  ElementType x, v, result;
  double tolerance;
};

const Case kCases[] = {
    {ElementType::kFloat64, ElementType::kFloat64, ElementType::kFloat64,
     1e-11},
    {ElementType::kFloat32, ElementType::kFloat32, ElementType::kFloat32, 7e-5},
    {ElementType::kFloat16, ElementType::kFloat16, ElementType::kFloat16, 0.6},
    {ElementType::kFloat32, ElementType::kFloat64, ElementType::kFloat64,
     1e-11},
    {ElementType::kBfloat16, ElementType::kFloat16, ElementType::kFloat32,
     7e-5},
    {ElementType::kInt32, ElementType::kInt8, ElementType::kInt32, 0},
    {ElementType::kInt32, ElementType::kUint32, ElementType::kInt64, 0},
    {ElementType::kInt64, ElementType::kUint64, ElementType::kFloat64, 1e-6},
    {ElementType::kInt8, ElementType::kFloat32, ElementType::kFloat32, 1e-2},
    {ElementType::kComplex64, ElementType::kFloat64, ElementType::kComplex128,
     1e-11},
    {ElementType::kComplex128, ElementType::kComplex64,
     ElementType::kComplex128, 1e-11},
};

TEST(Matvec, GivesANumberARowOfNumPysResultType) {
  for (const Case& c : kCases) {
    for (const Order order : {Order::kC, Order::kFortran}) {
      for (const std::int64_t columns : {1, 7, 100, 4101}) {
        const MadeArray x = Uniform(c.x, order, {103, columns}, 1);
        const MadeArray v = Uniform(c.v, Order::kC, {columns});
        const auto got = Multiply(MatvecOperation(), x, v);
        ASSERT_THAT(got, IsOk());
        EXPECT_EQ((*got)[0].type, c.result);
        if (c.result != ElementType::kUint64) {
          ExpectProduct(x, v, false, (*got)[0], c.tolerance);
        }
      }
    }
  }
}

TEST(Rmatvec, GivesANumberAColumnOfNumPysResultType) {
  for (const Case& c : kCases) {
    for (const Order order : {Order::kC, Order::kFortran}) {
      for (const std::int64_t columns : {1, 7, 100, 601}) {
        const MadeArray x = Uniform(c.x, order, {703, columns}, 1);
        const MadeArray v = Uniform(c.v, Order::kC, {703});
        const auto got = Multiply(RmatvecOperation(), x, v);
        ASSERT_THAT(got, IsOk());
        EXPECT_EQ((*got)[0].type, c.result);
        ExpectProduct(x, v, true, (*got)[0], c.tolerance);
      }
    }
  }
}

TEST(Matvec, OfBoolsAsksWhetherAnyPairIsTrue) {
  const MadeArray x = Make(ElementType::kBool, Order::kC, {2, 3},
                           [](std::int64_t i) { return i == 1 || i == 3; });
  const MadeArray v = Make(ElementType::kBool, Order::kC, {3},
                           [](std::int64_t i) { return i != 0; });
  const auto got = Multiply(MatvecOperation(), x, v);
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ((*got)[0].type, ElementType::kBool);
  EXPECT_EQ((*got)[0].bytes, (Bytes{std::byte{1}, std::byte{0}}));
}

TEST(Matvec, OfIntegersWraps) {
  const MadeArray x = Make(ElementType::kInt8, Order::kC, {1, 2},
                           [](std::int64_t) { return 100; });
  const auto got = Multiply(
      MatvecOperation(), x,
      Make(ElementType::kInt8, Order::kC, {2}, [](std::int64_t) { return 1; }));
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ(ValuesOf((*got)[0])[0].real(), -56);
}

// Long enough that blocks are pieces of one stored row, and that sums of
// columns are shared out instead of reduced.
TEST(Matvec, TakesRowsLongerThanABlock) {
  const std::int64_t length = 3'000'001;
  for (const Order order : {Order::kC, Order::kFortran}) {
    for (const bool transposed : {false, true}) {
      const Shape shape =
          order == Order::kC ? Shape{2, length} : Shape{length, 2};
      const MadeArray x = Uniform(ElementType::kFloat64, order, shape);
      const MadeArray v = Uniform(ElementType::kFloat64, Order::kC,
                                  {shape[transposed ? 0 : 1]});
      const auto got =
          Multiply(transposed ? RmatvecOperation() : MatvecOperation(), x, v);
      ASSERT_THAT(got, IsOk());
      ExpectProduct(x, v, transposed, (*got)[0], 1e-9);
    }
  }
}

// A block has one column of it, and the sums of all rows pass 1 MiB.
TEST(Matvec, SharesOutTheSumsOfFewColumnsABlock) {
  const MadeArray x =
      Uniform(ElementType::kFloat64, Order::kFortran, {140'001, 9});
  const MadeArray v = Uniform(ElementType::kFloat64, Order::kC, {9});
  const Bytes stored = v.Stored();
  Arguments arguments;
  arguments.matrices["v"] = {v.layout, stored};
  EXPECT_TRUE(
      (*MatvecOperation().Prepare(x.layout, arguments))->concatenates());
  const auto got = Multiply(MatvecOperation(), x, v);
  ASSERT_THAT(got, IsOk());
  ExpectProduct(x, v, false, (*got)[0], 1e-12);
}

TEST(Matvec, HasTheSameBitsOnEveryProcessorAndInForeignByteOrder) {
  for (const Operation* operation : {&MatvecOperation(), &RmatvecOperation()}) {
    for (const ElementType type :
         {ElementType::kFloat64, ElementType::kFloat32, ElementType::kFloat16,
          ElementType::kBfloat16}) {
      for (const Order order : {Order::kC, Order::kFortran}) {
        const MadeArray x = Uniform(type, order, {777, 777});
        const MadeArray v = Uniform(ElementType::kFloat64, Order::kC, {777});
        const auto expected = Multiply(*operation, x, v);
        ASSERT_THAT(expected, IsOk());

        MadeArray moved = Uniform(type, order, {777, 777}, 5);
        MadeArray foreign = v;
        moved.layout.byte_order = ByteOrder::kForeign;
        foreign.layout.byte_order = ByteOrder::kForeign;
        for (const auto variant :
             {kernels::Variant::kBaseline, kernels::Variant::kAvx2,
              kernels::Variant::kAvx512}) {
          if (!kernels::CanRun(variant)) continue;
          kernels::ForceVariant(variant);
          const auto got = Multiply(*operation, moved, foreign);
          ASSERT_THAT(got, IsOk());
          EXPECT_EQ((*got)[0].bytes, (*expected)[0].bytes);
        }
        kernels::UnforceVariant();
      }
    }
  }
}

TEST(Matvec, GivesFloatsTimesFloatsAsFloat64TimesFloat64) {
  // Whose products are exact may be rounded once: no bit may show it.
  for (const Operation* operation : {&MatvecOperation(), &RmatvecOperation()}) {
    for (const Order order : {Order::kC, Order::kFortran}) {
      for (const std::int64_t columns : {5, 16, 37, 64, 130, 777}) {
        const auto narrow = [](double x) { return static_cast<float>(x); };
        MadeArray x = Uniform(ElementType::kFloat32, order, {131, columns});
        const MadeArray v = Uniform(
            ElementType::kFloat32, Order::kC,
            {operation == &MatvecOperation() ? columns : std::int64_t{131}});
        const auto wide = [&](const MadeArray& from) {
          const auto values = ValuesOf(from);
          return Make(ElementType::kFloat64, from.layout.order,
                      from.layout.shape, [&](std::int64_t i) {
                        return values[static_cast<std::size_t>(i)];
                      });
        };
        const auto expected = Multiply(*operation, wide(x), wide(v));
        ASSERT_THAT(expected, IsOk());
        for (const auto variant :
             {kernels::Variant::kBaseline, kernels::Variant::kAvx2,
              kernels::Variant::kAvx512}) {
          if (!kernels::CanRun(variant)) continue;
          kernels::ForceVariant(variant);
          const auto got = Multiply(*operation, x, v);
          ASSERT_THAT(got, IsOk());
          const auto values = ValuesOf((*got)[0]);
          const auto doubles = ValuesOf((*expected)[0]);
          for (std::size_t i = 0; i < values.size(); ++i) {
            ASSERT_EQ(narrow(values[i].real()), narrow(doubles[i].real()));
          }
        }
        kernels::UnforceVariant();
      }
    }
  }
}

TEST(Matvec, GivesTheSameBitsForBlocksThatComeAsOne) {
  // Columns whose vector no second cache holds, so that leaves have several.
  const MadeArray x =
      Uniform(ElementType::kFloat32, Order::kFortran, {150'001, 40});
  const MadeArray v = Uniform(ElementType::kFloat32, Order::kC, {150'001});
  const auto expected = Multiply(RmatvecOperation(), x, v);
  ASSERT_THAT(expected, IsOk());
  const Bytes stored = v.Stored();
  Arguments arguments;
  arguments.matrices["v"] = {v.layout, stored};
  const auto plan = *RmatvecOperation().Prepare(x.layout, arguments);
  ASSERT_TRUE(plan->joins_blocks());
  ASSERT_GT(plan->leaf_blocks_log2(), 0);
  const Partition partition(x.layout);
  const std::int64_t leaf = std::int64_t{1} << plan->leaf_blocks_log2();
  Bytes joined((*expected)[0].bytes.size());
  Scratch scratch, out;
  for (std::int64_t i = 0; i < partition.block_count(); i += leaf) {
    const RowBlock block =
        partition.Joined(i, std::min(i + leaf, partition.block_count()));
    const auto slice = plan->SliceOf(block);
    std::byte* to = out.Get(slice.bytes);
    ASSERT_THAT(plan->MapBlock({block, x.data() + block.element_begin * 4, {}},
                               scratch, to),
                IsOk());
    std::copy(to, to + slice.bytes, joined.begin() + slice.offset);
  }
  EXPECT_EQ(joined, (*expected)[0].bytes);
}

TEST(Matvec, TakesMatricesWithoutElements) {
  const MadeArray none = Uniform(ElementType::kFloat64, Order::kC, {3, 0});
  const MadeArray empty = Uniform(ElementType::kFloat64, Order::kC, {0});
  const auto got = Multiply(MatvecOperation(), none, empty);
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ((*got)[0].bytes, Bytes(24));
  const MadeArray three = Uniform(ElementType::kFloat64, Order::kC, {3});
  EXPECT_EQ((*Multiply(RmatvecOperation(), none, three))[0].shape, Shape{0});
}

TEST(Matvec, OfNoColumnsKeepsNothingForItsRows) {
  MadeArray none = Uniform(ElementType::kFloat64, Order::kC, {3, 0});
  none.layout.shape = {1'000'000'000'000, 0};
  const MadeArray empty = Uniform(ElementType::kFloat64, Order::kC, {0});
  Arguments arguments;
  arguments.matrices["v"] = {empty.layout, {}};
  const auto plan = MatvecOperation().Prepare(none.layout, arguments);
  ASSERT_THAT(plan, IsOk());
  EXPECT_TRUE((*plan)->concatenates());
  EXPECT_LE((*plan)->partial_bytes_max() + (*plan)->scratch_bytes_max(),
            std::int64_t{1} << 21);
}

TEST(Matvec, RefusesAVectorOfAnotherLengthNamingBoth) {
  const MadeArray x = Uniform(ElementType::kFloat64, Order::kC, {3, 4});
  const MadeArray v = Uniform(ElementType::kFloat64, Order::kC, {5});
  const auto got = Multiply(MatvecOperation(), x, v);
  EXPECT_THAT(got, HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(
      std::string(got.status().message()),
      ::testing::AllOf(HasSubstr("5 elements"), HasSubstr("4 columns")));
  EXPECT_THAT(Multiply(MatvecOperation(), x, x),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(RunSerially(MatvecOperation(), x.layout, x.data()),
              HasCode(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace hearth
