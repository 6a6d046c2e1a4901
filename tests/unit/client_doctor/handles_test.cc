#include "client/doctor/handles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Nameless(int) { return "python3"; }

TEST(KeepersIn, TakesListenersWithAKeepersNameOnly) {
  const std::string text =
      "Num       RefCount Protocol Flags    Type St Inode Path\n"
      "0000: 00000002 00000000 00010000 0005 01 1 "
      "@hearth-0123456789abcdef0123456789abcdef\n"
      "0000: 00000003 00000000 00000000 0005 03 2 "
      "@hearth-0123456789abcdef0123456789abcdef\n"  // a connection to it
      "0000: 00000002 00000000 00000000 0002 01 3 "
      "@hearth-0123456789abcdef0123456789abcdef.notices\n"
      "0000: 00000002 00000000 00010000 0001 01 4 "
      "@hearth-ffffffffffffffffffffffffffffffff\n"  // a stream
      "0000: 00000002 00000000 00010000 0005 01 5 @hearth-short\n"
      "0000: 00000002 00000000 00010000 0005 01 6 /run/udev/control\n"
      "0000: 00000002 00000000 00010000 0005 01 7\n\n";
  EXPECT_THAT(KeepersIn(text), ElementsAre(Address::Abstract(
                                   "hearth-0123456789abcdef0123456789abcdef")));
}

TEST(JudgeHandles, SaysNothingIsWrongWhereAllWereOpened) {
  EXPECT_EQ(JudgeHandles({}, Nameless).state, CheckState::kOk);
  const HeldSegment opened{
      .is_ticket = true, .fetched = true, .depositor_pid = 7, .bytes = 4096};
  const Check check = JudgeHandles({opened}, Nameless);
  EXPECT_EQ(check.state, CheckState::kOk);
  EXPECT_EQ(check.found, "1 given out, all of them opened");
}

TEST(JudgeHandles, NamesWhoGaveOutWhatNobodyOpened) {
  std::vector<HeldSegment> held;
  for (int i = 0; i < 7; ++i) {
    held.push_back(
        {.is_ticket = true, .depositor_pid = 10 + i, .bytes = 1 << 20});
  }
  const Check check = JudgeHandles(held, Nameless);
  EXPECT_EQ(check.state, CheckState::kWarn);
  EXPECT_THAT(check.found, HasSubstr("7 given out, 7 not opened (7 MiB, of "
                                     "python3 10, "));
  EXPECT_THAT(check.found, HasSubstr("python3 14, others)"));
}

}  // namespace
}  // namespace hearth::client
