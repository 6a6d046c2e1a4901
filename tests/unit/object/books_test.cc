// OnceTable, ItemWindow and ItemTaker.
#include <gmock/gmock.h>

#include "hearth/base/error.h"
#include "hearth/object/item_window.h"
#include "hearth/object/once_table.h"

namespace hearth {
namespace {

constexpr Id kClient{7, 7};

bool Runs(const OnceTable::Verdict& verdict) {
  return std::holds_alternative<OnceTable::Run>(verdict);
}

TEST(OnceTable, RunsACallOnceAndGivesItsResultAgain) {
  OnceTable table(1000);
  EXPECT_TRUE(Runs(table.Ask({kClient, 1}, 0)));
  table.Finish({kClient, 1}, Value(42));
  const auto again = table.Ask({kClient, 1}, 0);
  EXPECT_EQ(*std::get<absl::StatusOr<Value>>(again), Value(42));
}

TEST(OnceTable, LetsWhoAsksMeanwhileWaitForTheOneRun) {
  OnceTable table(1000);
  table.Ask({kClient, 1}, 10);
  EXPECT_TRUE(std::holds_alternative<OnceTable::IsRunning>(
      table.Ask({kClient, 1}, 11)));
  EXPECT_THAT(table.Finish({kClient, 1}, Value(1)),
              ::testing::ElementsAre(11u));
}

TEST(OnceTable, LetsGoOfWhatIsConfirmed) {
  OnceTable table(1000);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    table.Ask({kClient, i}, 0);
    table.Finish({kClient, i}, Value(1));
  }
  table.Confirm(kClient, 2);
  EXPECT_EQ(table.size(), 1u);
  table.Confirm(kClient, 3);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.bytes(), 0);
}

TEST(OnceTable, NeverRunsAgainWhatItLetGo) {
  OnceTable table(400);  // two results
  for (std::uint64_t i = 1; i <= 4; ++i) {
    table.Ask({kClient, i}, 0);
    table.Finish({kClient, i}, Value(1));
  }
  const auto verdict = table.Ask({kClient, 1}, 0);
  EXPECT_EQ(ReasonOf(std::get<absl::StatusOr<Value>>(verdict).status()),
            Reason::kOutcomeUnknown);
  EXPECT_LE(table.bytes(), 400);
}

TEST(OnceTable, RunsAgainWhatWasRefusedBeforeItRan) {
  OnceTable table(1000);
  table.Ask({kClient, 1}, 0);
  table.Withdraw({kClient, 1});
  EXPECT_TRUE(Runs(table.Ask({kClient, 1}, 0)));
}

TEST(ItemWindow, MakesNoMoreThanIsAllowed) {
  ItemWindow window(1 << 20);
  EXPECT_FALSE(window.WantsItem());
  window.Allow(0, 2);
  EXPECT_TRUE(window.WantsItem());
  window.Made(Value(1));
  window.Made(Value(2));
  EXPECT_FALSE(window.WantsItem());
  window.Allow(1, 2);
  EXPECT_TRUE(window.WantsItem());
}

TEST(ItemWindow, KeepsNoMoreBytesThanItMay) {
  ItemWindow window(100);
  window.Allow(0, 1000);
  int made = 0;
  for (; window.WantsItem(); ++made) window.Made(Value(std::string(30, 'x')));
  EXPECT_EQ(made, 3);
}

TEST(ItemWindow, SendsEachItemOnceAndAgainOnlyAfterAResume) {
  ItemWindow window(1 << 20);
  window.Allow(0, 10);
  for (int i = 0; i < 4; ++i) window.Made(Value(i));
  EXPECT_EQ(window.TakeToSend(1000).size(), 4u);
  EXPECT_EQ(window.TakeToSend(1000).size(), 0u);
  window.Resume(2);
  const auto again = window.TakeToSend(1000);
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again[0].number, 2u);
}

TEST(ItemWindow, TellsTheEndAfterTheLastItemAndAgainAfterAResume) {
  ItemWindow window(1 << 20);
  window.Allow(0, 10);
  window.Made(Value(1));
  window.Ended(absl::OkStatus());
  EXPECT_FALSE(window.TakeEnd().has_value());
  window.TakeToSend(1000);
  EXPECT_TRUE(window.TakeEnd().has_value());
  EXPECT_FALSE(window.TakeEnd().has_value());
  EXPECT_FALSE(window.finished());
  window.Resume(1);
  EXPECT_TRUE(window.TakeEnd().has_value());
  EXPECT_TRUE(window.finished());
}

TEST(ItemTaker, PutsOutEachItemOnceWhateverComesTwice) {
  ItemTaker taker(4, 1000);
  EXPECT_TRUE(taker.Take(0, Value(0)));
  EXPECT_TRUE(taker.Take(1, Value(1)));
  EXPECT_TRUE(taker.Take(0, Value(0)));
  EXPECT_FALSE(taker.Take(3, Value(3)));  // 2 is missing
  EXPECT_EQ(*taker.Next(), Value(0));
  EXPECT_EQ(*taker.Next(), Value(1));
  EXPECT_FALSE(taker.Next().has_value());
  EXPECT_EQ(taker.received(), 2u);
}

// Streams of large items used to stop for ever: their maker waited for the
// taker's word, and the taker for half a window of items.
TEST(ItemTaker, AllowsMoreOnceMuchWasTaken) {
  ItemTaker taker(4096, 1000);
  taker.Allowed();
  for (std::uint64_t i = 0; i < 2; ++i) {
    EXPECT_FALSE(taker.ShouldAllow());
    EXPECT_TRUE(taker.Take(i, Value(ValueBytes{std::string(300, 'x')})));
    EXPECT_TRUE(taker.Next().has_value());
  }
  EXPECT_TRUE(taker.ShouldAllow());
  taker.Allowed();
  EXPECT_FALSE(taker.ShouldAllow());
}

}  // namespace
}  // namespace hearth
