#include "client/cli/output/wrap.h"

#include <gtest/gtest.h>

namespace hearth::client {
namespace {

TEST(Wrapped, LeavesWhatFits) {
  EXPECT_EQ(Wrapped("as it is", 2, 10), "as it is");
  EXPECT_EQ(Wrapped("", 2, 10), "");
}

TEST(Wrapped, BreaksAtSpacesAndIndents) {
  EXPECT_EQ(Wrapped("one two three", 2, 9), "one two\n  three");
  EXPECT_EQ(Wrapped("seven77 x", 2, 9), "seven77\n  x");
}

TEST(Wrapped, BreaksAPathBehindAFolder) {
  EXPECT_EQ(Wrapped("/data/long/file.npy", 2, 12),
            "/data/\n  long/\n  file.npy");
}

TEST(Wrapped, BreaksAnywhereIfItMust) {
  EXPECT_EQ(Wrapped("abcdefgh", 1, 5), "abcd\n efgh");
}

TEST(Wrapped, CountsColumnsAndNotBytes) {
  EXPECT_EQ(Wrapped("ääää", 0, 4), "ääää");
  EXPECT_EQ(Wrapped("äää äää", 1, 5), "äää\n äää");
}

TEST(Wrapped, LetsNoControlCharacterThrough) {
  EXPECT_EQ(Wrapped("a\x1b[31m\nb", 2, 20), "a?[31m?b");
}

}  // namespace
}  // namespace hearth::client
