#include "hearth/matrix/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "hearth/base/error.h"
#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();

absl::StatusOr<MatrixLayout> Bytes(Shape shape) {
  return MatrixLayout::Make(ElementType::kUint8, ByteOrder::kNative, Order::kC,
                            std::move(shape));
}

TEST(MatrixLayout, CountsRowsElementsAndBytes) {
  const auto layout =
      MatrixLayout::Make(ElementType::kComplex128, ByteOrder::kForeign,
                         Order::kFortran, {4, 3, 2});
  ASSERT_THAT(layout, IsOk());
  EXPECT_EQ(layout->row_count(), 4);
  EXPECT_EQ(layout->element_count(), 24);
  EXPECT_EQ(layout->bytes(), 24 * 16);
  EXPECT_THAT(layout->StorageShape(), ElementsAre(2, 3, 4));
}

TEST(MatrixLayout, HoldsOneElementWhenItHasNoAxes) {
  const auto layout = Bytes({});
  ASSERT_THAT(layout, IsOk());
  EXPECT_EQ(layout->element_count(), 1);
  EXPECT_EQ(layout->row_count(), 1);
}

TEST(MatrixLayout, MayBeAsLargeAsAFileMay) {
  EXPECT_THAT(Bytes({kInt64Max}), IsOk());
  EXPECT_THAT(Bytes({std::int64_t{1} << 31, std::int64_t{1} << 31}), IsOk());
  EXPECT_EQ(Bytes({std::int64_t{1} << 62})->bytes(), std::int64_t{1} << 62);
}

TEST(MatrixLayout, RefusesBytesThatPass63Bits) {
  const auto refused = Bytes({std::int64_t{1} << 32, std::int64_t{1} << 31});
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kBadFile);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("axis 1"));
  EXPECT_FALSE(MatrixLayout::Make(ElementType::kFloat64, ByteOrder::kNative,
                                  Order::kC, {std::int64_t{1} << 60})
                   .ok());
}

TEST(MatrixLayout, RefusesHugeAxesBesideAnEmptyOneAsNumPyDoes) {
  EXPECT_FALSE(Bytes({kInt64Max, kInt64Max, 0}).ok());
  EXPECT_EQ(Bytes({0, kInt64Max})->bytes(), 0);
}

TEST(MatrixLayout, RefusesNegativeLengthsAndTooManyAxes) {
  EXPECT_THAT(std::string(Bytes({2, -3}).status().message()),
              HasSubstr("has a negative length -3 at axis 1"));
  EXPECT_THAT(Bytes(Shape(64, 1)), IsOk());
  EXPECT_THAT(std::string(Bytes(Shape(65, 1)).status().message()),
              HasSubstr("has 65 axes, more than 64"));
}

TEST(Shape, PrintsAsNumPyPrintsIt) {
  EXPECT_EQ(ToString(Shape{}), "()");
  EXPECT_EQ(ToString(Shape{3}), "(3,)");
  EXPECT_EQ(ToString(Shape{500000, 1024}), "(500000, 1024)");
}

TEST(ParseShape, ReadsWhatPeopleType) {
  EXPECT_EQ(*ParseShape("500000,1024"), (Shape{500000, 1024}));
  EXPECT_EQ(*ParseShape(" (3, 4 , 0) "), (Shape{3, 4, 0}));
  EXPECT_EQ(*ParseShape("3"), Shape{3});
  EXPECT_EQ(*ParseShape("(3,)"), Shape{3});
  EXPECT_EQ(*ParseShape("()"), Shape{});
  EXPECT_EQ(*ParseShape(""), Shape{});
}

TEST(ParseShape, RefusesEverythingElse) {
  for (const char* text : {",", "3,,4", "3 4", "-1", "3,-4", "3.0", "0x10",
                           "(3", "3)", "((3))", "9223372036854775808", "a"}) {
    EXPECT_EQ(ReasonOf(ParseShape(text).status()), Reason::kBadUsage) << text;
  }
  std::string many = "1";
  for (int i = 0; i < 64; ++i) many += ",1";
  EXPECT_THAT(std::string(ParseShape(many).status().message()),
              HasSubstr("more than 64 axes"));
}

}  // namespace
}  // namespace hearth
