#include "hearth/matrix/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "hearth/base/error.h"
#include "hearth/base/little_endian.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/matrix/npy_goldens.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::testing::AllOf;
using ::testing::HasSubstr;

absl::StatusOr<NpyHeader> Parse(absl::string_view head,
                                std::int64_t file_bytes) {
  return ParseNpyHeader(std::as_bytes(std::span(head.data(), head.size())),
                        file_bytes, "x.npy");
}

absl::StatusOr<NpyHeader> ParseWithPayload(absl::string_view head,
                                           std::int64_t payload_bytes) {
  return Parse(head, static_cast<std::int64_t>(head.size()) + payload_bytes);
}

// A version 1.0 file of this header and of as many payload bytes as any test
// needs.
absl::StatusOr<NpyHeader> ParseText(absl::string_view text) {
  std::string head = absl::StrCat("\x93NUMPY\x01", absl::string_view("\0", 1));
  AppendLittleEndian(head, static_cast<std::uint16_t>(text.size()));
  return ParseWithPayload(absl::StrCat(head, text), 1 << 20);
}

void ExpectRefused(const absl::StatusOr<NpyHeader>& parsed,
                   const std::string& finding) {
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(ReasonOf(parsed.status()), Reason::kBadFile);
  EXPECT_THAT(std::string(parsed.status().message()),
              AllOf(HasSubstr("read \"x.npy\": "), HasSubstr(finding),
                    HasSubstr("; ")));
}

TEST(ParseNpyHeader, ReadsWhatNumPyWrote) {
  EXPECT_EQ(ParseWithPayload(testing::ThreeFloats(), 24)->layout,
            (MatrixLayout{
                ElementType::kFloat64, ByteOrder::kNative, Order::kC, {3}}));
  EXPECT_EQ(
      ParseWithPayload(testing::ForeignScalar(), 2)->layout,
      (MatrixLayout{ElementType::kInt16, ByteOrder::kForeign, Order::kC, {}}));
  EXPECT_EQ(ParseWithPayload(testing::FortranComplexV2(), 96)->layout,
            (MatrixLayout{ElementType::kComplex128,
                          ByteOrder::kNative,
                          Order::kFortran,
                          {2, 3}}));
  EXPECT_EQ(ParseWithPayload(testing::EmptyBoolsV3(), 0)->layout,
            (MatrixLayout{
                ElementType::kBool, ByteOrder::kNative, Order::kC, {0, 5}}));
  EXPECT_EQ(ParseWithPayload(testing::FiveAxes(), 12)->layout,
            (MatrixLayout{ElementType::kUint8,
                          ByteOrder::kNative,
                          Order::kC,
                          {2, 1, 3, 1, 2}}));
  for (const std::string& golden : testing::AllGoldenNpys()) {
    EXPECT_EQ(ParseWithPayload(golden, 96)->payload_offset, 128);
  }
}

TEST(ParseNpyHeader, ReadsWhatOtherWritersWrite) {
  const Shape shape = {3, 4};
  for (const char* text : {
           "{'shape':(3,4),'fortran_order':False,'descr':'<f8'}",
           "{\"descr\": \"<f8\", \"fortran_order\": False, \"shape\": (3, 4)}",
           " \t{ 'descr' : 'float64' ,\n'shape' : ( 3 , 4 , ) , "
           "'fortran_order' : False , }\r\n\n   ",
           "{'descr': '=f8', 'fortran_order': False, 'shape': (3L, 4L), }",
       }) {
    const auto parsed = ParseText(text);
    ASSERT_THAT(parsed, IsOk()) << text;
    EXPECT_EQ(parsed->layout.shape, shape) << text;
    EXPECT_EQ(parsed->layout.type, ElementType::kFloat64) << text;
    EXPECT_EQ(parsed->payload_offset,
              10 + static_cast<std::int64_t>(absl::string_view(text).size()));
  }
}

TEST(ParseNpyHeader, AcceptsTrailingBytesAndNamesMissingOnes) {
  EXPECT_THAT(ParseWithPayload(testing::ThreeFloats(), 25), IsOk());
  ExpectRefused(ParseWithPayload(testing::ThreeFloats(), 23),
                "its size leaves 23 bytes after the header, and its shape (3,) "
                "of float64 needs 24");
}

TEST(ParseNpyHeader, NeedsOnlyTheLeadingBytes) {
  std::string head = testing::ThreeFloats();
  head += std::string(static_cast<std::size_t>(kNpyHeaderReadBytes), '\xee');
  EXPECT_THAT(Parse(head.substr(0, kNpyHeaderReadBytes), 1 << 30), IsOk());
}

TEST(ParseNpyHeader, NamesAMagicFieldThatIsNone) {
  ExpectRefused(Parse("", 0), "it is empty, without the magic field");
  ExpectRefused(Parse("\x93NUMP", 5), "its magic field");
  ExpectRefused(Parse("\x89HDF\r\n\x1a\n", 8), "its magic field");
  ExpectRefused(Parse("PK\x03\x04----", 8), "FILE.npz:MEMBER");
}

TEST(ParseNpyHeader, NamesAVersionThatItDoesNotKnow) {
  ExpectRefused(Parse("\x93NUMPY\x04", 7), "ends within its version field");
  for (const auto& [major, minor] :
       {std::pair{4, 0}, {0, 0}, {1, 1}, {255, 9}}) {
    std::string head = testing::ThreeFloats();
    head[6] = static_cast<char>(major);
    head[7] = static_cast<char>(minor);
    ExpectRefused(ParseWithPayload(head, 24),
                  absl::StrCat("its version field is ", major, ".", minor));
  }
}

TEST(ParseNpyHeader, NamesAHeaderLengthThatTheFileDoesNotHave) {
  const std::string head = testing::ThreeFloats();
  ExpectRefused(Parse(head.substr(0, 9), 9), "within its header length field");
  ExpectRefused(Parse(head.substr(0, 100), 100),
                "its header length field says 118 bytes, and the file ends "
                "after 90");
}

TEST(ParseNpyHeader, RefusesAHeaderPastTheLimitWithoutReadingIt) {
  std::string head = testing::FortranComplexV2();
  for (std::size_t i = 8; i < 12; ++i) head[i] = '\xff';
  const auto parsed = Parse(head, std::int64_t{1} << 40);
  EXPECT_EQ(ReasonOf(parsed.status()), Reason::kTooLarge);
  EXPECT_THAT(std::string(parsed.status().message()),
              HasSubstr("its header length field says 4294967295 bytes"));
}

TEST(ParseNpyHeader, NamesAFieldThatIsMissingDoubledOrUnknown) {
  ExpectRefused(ParseText("{'fortran_order': False, 'shape': (3,)}"),
                "no descr field");
  ExpectRefused(ParseText("{'descr': '<f8', 'shape': (3,)}"),
                "no fortran_order field");
  ExpectRefused(ParseText("{'descr': '<f8', 'fortran_order': False}"),
                "no shape field");
  ExpectRefused(ParseText("{'descr': '<f8', 'descr': '<f8', "
                          "'fortran_order': False, 'shape': (3,)}"),
                "its descr field comes twice");
  ExpectRefused(ParseText("{'descr': '<f8', 'fortran_order': False, "
                          "'shape': (3,), 'shape': (4,)}"),
                "its shape field comes twice");
  ExpectRefused(ParseText("{'descr': '<f8', 'fortran_order': False, "
                          "'shape': (3,), 'offset': 4}"),
                "a field \"offset\", which the format does not have");
}

TEST(ParseNpyHeader, RefusesTextThatIsNoDictionary) {
  for (const char* text :
       {"", "   ", "None", "[]", "{", "{'descr'", "{'descr'}",
        "{'descr':", "{,}", "{'descr': '<f8'", "{'descr': '<f8',",
        "{'descr': '<f8", "{'descr': '<f8' 'shape': (3,)}", "{descr: '<f8'}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)} x",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3,),,}",
        "{'des\\x63r': '<f8', 'fortran_order': False, 'shape': (3,)}"}) {
    ExpectRefused(ParseText(text), "the file is damaged or was not written");
  }
}

absl::StatusOr<NpyHeader> ParseDescr(absl::string_view literal) {
  return ParseText(absl::StrCat("{'descr': ", literal,
                                ", 'fortran_order': False, 'shape': (3, 4)}"));
}

TEST(ParseNpyHeader, RefusesByNameWhatIsNoPlainNumber) {
  ExpectRefused(ParseDescr("[('a', '<f8'), ('b', '<i4')]"),
                "its descr field is a structured type");
  ExpectRefused(ParseDescr("('<f8', (2,))"), "a structured type");
  ExpectRefused(ParseDescr("'|O'"), "\"|O\" is the Python object type");
  ExpectRefused(ParseDescr("'<U7'"), "\"<U7\" is a string type");
  ExpectRefused(ParseDescr("'|S7'"), "\"|S7\" is a string type");
  ExpectRefused(ParseDescr("'<M8[ns]'"), "is a date or time type");
  ExpectRefused(ParseDescr("'<f16'"), "is an extended-precision type");
  ExpectRefused(ParseDescr("'|V3'"), "is a type of raw bytes");
  ExpectRefused(ParseDescr("'bfloat16'"), "is no element type of NumPy's");
  ExpectRefused(ParseDescr("'<f3'"), "\"<f3\" is no element type");
  ExpectRefused(ParseDescr("8"), "its descr field is not a string");
  ExpectRefused(ParseDescr("'\x1b[2J'"), "\"\\x1b[2J\"");
}

TEST(ParseNpyHeader, TellsHowToReadTheBfloat16OfOtherLibraries) {
  // np.save of a jax or ml_dtypes bfloat16 array forgets its type.
  ExpectRefused(ParseDescr("'|V2'"),
                "--dtype bfloat16 --shape 3,4 --offset 67");
}

TEST(ParseNpyHeader, NamesAFortranOrderThatIsNoBool) {
  for (const char* literal : {"1", "None", "'True'", "true", "Truest", ""}) {
    ExpectRefused(ParseText(absl::StrCat("{'descr': '<f8', 'fortran_order': ",
                                         literal, ", 'shape': (3,)}")),
                  "its fortran_order field");
  }
}

TEST(ParseNpyHeader, NamesAShapeThatIsNoTupleOfLengths) {
  const auto parse = [](absl::string_view literal) {
    return ParseText(absl::StrCat(
        "{'descr': '<f8', 'fortran_order': False, 'shape': ", literal, "}"));
  };
  ExpectRefused(parse("(-3,)"), "its shape field has a negative length -3");
  ExpectRefused(parse("(3)"), "its shape field is the number 3, not a tuple");
  for (const char* literal :
       {"3", "[3]", "(,)", "(3,,)", "(3 4)", "(3.0,)", "(3LL,)", "(True,)",
        "(0x3,)", "(03,)", "(1_000,)", "(3", "(3,", "((3,),)", "(+3,)",
        "(--3,)", "(9223372036854775808,)", "(-9223372036854775809,)",
        "(None,)"}) {
    ExpectRefused(parse(literal), "its shape field");
  }
  ExpectRefused(parse("(9223372036854775807,)"), "more than 2^63 bytes");
  ExpectRefused(parse("(4294967296, 4294967296, 0)"), "more than 2^63 bytes");
  std::string many = "(1";
  for (int i = 0; i < 64; ++i) many += ", 1";
  ExpectRefused(parse(many + ")"), "more than 64 axes");
}

TEST(FormatNpyHeader, WritesByteForByteWhatNumPyWrites) {
  for (const std::string& golden :
       {testing::ThreeFloats(), testing::ForeignScalar(),
        testing::FiveAxes()}) {
    const auto header = FormatNpyHeader(ParseWithPayload(golden, 96)->layout);
    ASSERT_THAT(header, IsOk());
    EXPECT_EQ(*header, golden);
  }
}

TEST(FormatNpyHeader, ReadsBackForEveryTypeOrderAndByteOrder) {
  for (std::uint32_t number = 1; number <= 15; ++number) {
    const auto type = static_cast<ElementType>(number);
    if (type == ElementType::kBfloat16) continue;
    for (const Shape& shape :
         {Shape{}, Shape{7}, Shape{0, 3}, Shape{2, 3, 4}, Shape(64, 1)}) {
      for (const Order order : {Order::kC, Order::kFortran}) {
        const ByteOrder byte_order =
            BytesOf(type) > 1 ? ByteOrder::kForeign : ByteOrder::kNative;
        const auto layout = MatrixLayout::Make(type, byte_order, order, shape);
        const auto header = FormatNpyHeader(*layout);
        ASSERT_THAT(header, IsOk());
        EXPECT_EQ(header->size() % 64, 0u);
        const auto parsed = ParseWithPayload(*header, layout->bytes());
        ASSERT_THAT(parsed, IsOk());
        EXPECT_EQ(parsed->layout.shape, layout->shape);
        EXPECT_EQ(parsed->layout.type, layout->type);
        EXPECT_EQ(parsed->layout.byte_order, layout->byte_order);
        EXPECT_EQ(parsed->layout.order,
                  shape.size() > 1 ? order : Order::kC);  // as NumPy says it
        EXPECT_EQ(parsed->payload_offset,
                  static_cast<std::int64_t>(header->size()));
      }
    }
  }
}

TEST(FormatNpyHeader, HoldsTheLongestShapeInAVersion1Header) {
  Shape shape(64, 1);
  shape[0] = std::int64_t{1} << 59;
  const auto header = FormatNpyHeader(*MatrixLayout::Make(
      ElementType::kFloat64, ByteOrder::kNative, Order::kC, shape));
  ASSERT_THAT(header, IsOk());
  EXPECT_EQ(ParseWithPayload(*header, std::int64_t{1} << 62)->layout.shape,
            shape);
}

TEST(FormatNpyHeader, RefusesBfloat16) {
  EXPECT_EQ(
      ReasonOf(FormatNpyHeader({.type = ElementType::kBfloat16}).status()),
      Reason::kBadParameter);
}

}  // namespace
}  // namespace hearth
