#include "hearth/base/quoted.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

TEST(Quoted, ShowsPrintableTextAsItIs) {
  EXPECT_EQ(Quoted("it's 5 °C, 数"), "\"it's 5 °C, 数\"");
}

TEST(Quoted, EscapesWhatATerminalOrALogWouldTrustTooMuch) {
  EXPECT_EQ(Quoted("a\nb\x1b[2J\"\\"), R"("a\nb\x1b[2J\"\\")");
  EXPECT_EQ(Quoted(absl::string_view("\0\x7f", 2)), R"("\x00\x7f")");
  EXPECT_EQ(Quoted("\xc2\x9b"), R"("\xc2\x9b")");  // C1: begins an escape too
}

TEST(Quoted, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(Quoted("\xc0\x80"), R"("\xc0\x80")");          // overlong
  EXPECT_EQ(Quoted("\xed\xa0\x80"), R"("\xed\xa0\x80")");  // a surrogate
  EXPECT_EQ(Quoted("\xe6\x95"), R"("\xe6\x95")");          // cut short
}

// What a message of Protobuf could not hold would end the stream at it.
TEST(ValidUtf8, LeavesTextAloneAndEscapesOtherBytes) {
  EXPECT_EQ(ValidUtf8("a \"b\"\n5 °C\xc2\x85"), "a \"b\"\n5 °C\xc2\x85");
  EXPECT_EQ(ValidUtf8("bad\xff.npy"), "bad\\xff.npy");
  EXPECT_EQ(ValidUtf8("\xe6\x95"), "\\xe6\\x95");
  EXPECT_EQ(ValidUtf8(""), "");
}

TEST(Quoted, CutsLongText) {
  EXPECT_EQ(Quoted("abcdefgh", 4), "\"abcd...\"");
  EXPECT_LT(Quoted(std::string(1 << 20, '\xff')).size(), 140u);
}

}  // namespace
}  // namespace hearth
