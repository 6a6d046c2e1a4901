#include "hearth/matrix/element_type.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "tests/support/status_matchers.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::testing::HasSubstr;

void ExpectReads(absl::string_view text, ElementType type,
                 ByteOrder byte_order = ByteOrder::kNative) {
  const auto read = ParseElementType(text);
  ASSERT_THAT(read, IsOk()) << std::string(text);
  EXPECT_EQ(read->type, type) << std::string(text);
  EXPECT_EQ(read->byte_order, byte_order) << std::string(text);
}

void ExpectRefused(absl::string_view text, absl::string_view because) {
  const auto read = ParseElementType(text);
  ASSERT_FALSE(read.ok()) << std::string(text);
  EXPECT_EQ(ReasonOf(read.status()), Reason::kBadUsage);
  EXPECT_THAT(std::string(read.status().message()),
              HasSubstr(std::string(because)));
}

TEST(ElementType, ReadsItsOwnNamesAndCodes) {
  for (std::uint32_t number = 1; number <= 15; ++number) {
    ASSERT_TRUE(IsKnown(number));
    const auto type = static_cast<ElementType>(number);
    ExpectReads(NameOf(type), type);
    if (type == ElementType::kBfloat16) continue;
    ExpectReads(NpyCodeOf(type), type);
    ExpectReads(NpyCodeOf(type).substr(1), type);
    ExpectReads(absl::StrCat(">", NpyCodeOf(type).substr(1)), type,
                BytesOf(type) == 1 ? ByteOrder::kNative : ByteOrder::kForeign);
  }
  EXPECT_FALSE(IsKnown(0));
  EXPECT_FALSE(IsKnown(16));
}

TEST(ElementType, ReadsNumPysOtherNamesAsNumPyDoesOnLinux) {
  ExpectReads("double", ElementType::kFloat64);
  ExpectReads("float", ElementType::kFloat64);
  ExpectReads("int", ElementType::kInt64);
  ExpectReads("uintp", ElementType::kUint64);
  ExpectReads("intc", ElementType::kInt32);
  ExpectReads("half", ElementType::kFloat16);
  ExpectReads("complex", ElementType::kComplex128);
}

TEST(ElementType, ReadsOneLetterCodesByteForByte) {
  ExpectReads("?", ElementType::kBool);
  ExpectReads("b", ElementType::kInt8);  // not bool, which is "b1"
  ExpectReads("b1", ElementType::kBool);
  ExpectReads("B", ElementType::kUint8);
  ExpectReads(">d", ElementType::kFloat64, ByteOrder::kForeign);
  ExpectReads("=u2", ElementType::kUint16);
  ExpectReads("|f8", ElementType::kFloat64);
  ExpectReads(">?", ElementType::kBool);
}

TEST(ElementType, RefusesWhatItHasNoMatricesOfByName) {
  ExpectRefused("O", "Python object");
  ExpectRefused("|O8", "Python object");
  ExpectRefused("object", "Python object");
  ExpectRefused("<U12", "a string type");
  ExpectRefused("S", "a string type");
  ExpectRefused("bytes", "a string type");
  ExpectRefused("<M8[ns]", "a date or time type");
  ExpectRefused("timedelta64[s]", "a date or time type");
  ExpectRefused("|V16", "a type of raw bytes");
  ExpectRefused("<f16", "extended-precision");
  ExpectRefused("longdouble", "extended-precision");
  ExpectRefused("[('a', '<f8')]", "a structured type");
  ExpectRefused("i4,f8", "a structured type");
}

TEST(ElementType, RefusesWhatNumPyDoesNotKnowEither) {
  for (const char* text :
       {"", " ", "<", ">>f8", "f3", "f8 ", " f8", "<float64", ">bfloat16",
        "Float64", "d8", "u", "f88888888888888888888", "float64\n"}) {
    ExpectRefused(text, "none that Hearth knows; use bool, int8");
  }
  ExpectRefused("a\x1b[2Jb", R"("a\x1b[2Jb")");
}

TEST(ElementType, SortsTypesIntoKinds) {
  EXPECT_FALSE(IsInteger(ElementType::kBool));
  EXPECT_TRUE(IsInteger(ElementType::kUint64));
  EXPECT_FALSE(IsSigned(ElementType::kUint8));
  EXPECT_TRUE(IsSigned(ElementType::kInt64));
  EXPECT_TRUE(IsFloat(ElementType::kBfloat16));
  EXPECT_FALSE(IsFloat(ElementType::kComplex64));
  EXPECT_TRUE(IsComplex(ElementType::kComplex128));
}

}  // namespace
}  // namespace hearth
