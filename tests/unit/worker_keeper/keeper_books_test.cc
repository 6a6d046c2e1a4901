#include "worker/keeper/keeper_books.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hearth/base/limits.h"

namespace hearth::worker {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using ::testing::VariantWith;

constexpr Id kToken{1, 2};
constexpr Descriptor kFd = 40;
constexpr pid_t kCreator = 100;
constexpr pid_t kMaster = 90;
constexpr pid_t kReader = 200;

auto Done() { return VariantWith<Answer>(Answer{}); }
auto Refused(Reason reason) {
  return VariantWith<Answer>(::testing::Field(&Answer::reason, reason));
}
auto Closes(Descriptor fd) {
  return VariantWith<CloseDescriptor>(CloseDescriptor{fd});
}
auto Watches(pid_t process) {
  return VariantWith<WatchProcess>(WatchProcess{process});
}
auto Unwatches(pid_t process) {
  return VariantWith<UnwatchProcess>(UnwatchProcess{process});
}
auto Counts(Descriptor fd) {
  return VariantWith<AskForHolders>(AskForHolders{kToken, fd});
}

SegmentCard Card(std::uint64_t bytes = 8) {
  return {.kind = SegmentKind::kSealed, .bytes = bytes};
}

TicketAsked CountableTicket() {
  return {kToken, kFd, Card(), kCreator, {kMaster}, true, true};
}
// As for a file, or on a kernel that can't count.
TicketAsked UncountableTicket() {
  return {kToken, kFd, Card(), kCreator, {kMaster}, false, false};
}

class KeeperBooksTest : public ::testing::Test {
 protected:
  std::vector<BookAction> Handle(const BookEvent& event) {
    return books_.Handle(event, now_);
  }
  void Pass(absl::Duration time) { now_ += time; }

  KeeperBooks books_{{.held_max = 3, .watched_max = 4}};
  absl::Time now_ = absl::UnixEpoch();
};

using Segments = KeeperBooksTest;

TEST(SegmentLimit, CountsASegmentOnceHoweverManyTokensItHas) {
  KeeperBooks books(
      {.held_max = 9, .watched_max = 9, .segment_bytes_max = 100});
  const auto deposit = [&](std::uint64_t number, std::uint64_t bytes,
                           std::uint64_t inode) {
    return books.Handle(
        DepositAsked{Id{number, 0}, kFd, Card(bytes), kCreator, false, inode},
        absl::UnixEpoch());
  };
  EXPECT_THAT(deposit(1, 60, 7), ElementsAre(Done()));
  EXPECT_THAT(deposit(2, 60, 7), ElementsAre(Done()));
  EXPECT_THAT(deposit(3, 41, 8),
              ElementsAre(Refused(Reason::kOutOfMemory), Closes(kFd)));
  EXPECT_THAT(deposit(4, 40, 8), ElementsAre(Done()));
}

TEST(SegmentLimit, MakesCachesGiveWayTheOldestFirst) {
  KeeperBooks books(
      {.held_max = 9, .watched_max = 9, .segment_bytes_max = 100});
  const auto deposit = [&](std::uint64_t number, SegmentKind kind,
                           std::uint64_t bytes) {
    const SegmentCard card{.kind = kind, .bytes = bytes};
    return books.Handle(
        DepositAsked{Id{number, 0}, static_cast<Descriptor>(number), card,
                     kCreator, false, number},
        absl::UnixEpoch());
  };
  EXPECT_THAT(deposit(9, SegmentKind::kFragment, 40), ElementsAre(Done()));
  EXPECT_THAT(deposit(2, SegmentKind::kFragment, 40), ElementsAre(Done()));
  EXPECT_THAT(deposit(5, SegmentKind::kFragment, 40),
              ElementsAre(Done(), Closes(9)));
  EXPECT_THAT(deposit(1, SegmentKind::kSealed, 20), ElementsAre(Done()));
  EXPECT_THAT(deposit(3, SegmentKind::kOpen, 70),
              UnorderedElementsAre(Done(), Closes(2), Closes(5)));
  // What is none does not: neither for its like nor for a cache.
  EXPECT_THAT(deposit(4, SegmentKind::kSealed, 20),
              ElementsAre(Refused(Reason::kOutOfMemory), Closes(4)));
  EXPECT_THAT(deposit(6, SegmentKind::kFragment, 20),
              ElementsAre(Refused(Reason::kOutOfMemory), Closes(6)));
}

TEST_F(Segments, AreHeldUntilTheyAreDropped) {
  EXPECT_THAT(Handle(DepositAsked{kToken, kFd, Card(), kCreator}),
              ElementsAre(Done()));
  EXPECT_THAT(Handle(ProcessEnded{kCreator}), IsEmpty());
  EXPECT_THAT(Handle(FetchAsked{kToken, kReader}),
              ElementsAre(VariantWith<AnswerWithDescriptor>(
                  AnswerWithDescriptor{kFd, Card(), false})));
  EXPECT_THAT(Handle(DropAsked{{kToken}}), ElementsAre(Done(), Closes(kFd)));
  EXPECT_TRUE(books_.empty());
}

TEST_F(Segments, AreGoneForWhoComesAfterTheDrop) {
  EXPECT_THAT(Handle(FetchAsked{kToken, kReader}),
              ElementsAre(Refused(Reason::kSegmentGone)));
}

TEST_F(Segments, MayBeDroppedTwice) {
  Handle(DepositAsked{kToken, kFd, Card(), kCreator});
  Handle(DropAsked{{kToken}});
  EXPECT_THAT(Handle(DropAsked{{kToken, {9, 9}}}), ElementsAre(Done()));
}

TEST_F(Segments, KeepTheFirstOfTwoEqualDeposits) {
  Handle(DepositAsked{kToken, kFd, Card(), kCreator});
  EXPECT_THAT(Handle(DepositAsked{kToken, 41, Card(), kCreator}),
              ElementsAre(Done(), Closes(41)));
}

TEST_F(Segments, GiveWayToTheirReplacement) {
  Handle(DepositAsked{kToken, kFd, Card(1), kCreator});
  EXPECT_THAT(Handle(DepositAsked{kToken, 41, Card(2), kCreator, true}),
              ElementsAre(Done(), Closes(kFd)));
  EXPECT_THAT(Handle(FetchAsked{kToken, kReader}),
              ElementsAre(VariantWith<AnswerWithDescriptor>(
                  AnswerWithDescriptor{41, Card(2), false})));
}

TEST_F(Segments, CantBeReplacedWhereThereIsNone) {
  EXPECT_THAT(Handle(DepositAsked{kToken, 41, Card(), kCreator, true}),
              ElementsAre(Refused(Reason::kSegmentGone), Closes(41)));
}

TEST_F(Segments, AreRefusedBeyondTheBound) {
  for (std::uint64_t i = 1; i <= 3; ++i) {
    Handle(DepositAsked{{0, i}, static_cast<int>(i), Card(), kCreator});
  }
  EXPECT_THAT(Handle(DepositAsked{kToken, kFd, Card(), kCreator}),
              ElementsAre(Refused(Reason::kTooLarge), Closes(kFd)));
}

TEST_F(Segments, AreListedByPages) {
  KeeperBooks many({.held_max = 2000, .watched_max = 4});
  for (std::uint64_t i = 1; i <= 1025; ++i) {
    many.Handle(DepositAsked{{0, i}, 1, Card(), kCreator}, now_);
  }
  const auto first = many.Handle(ListAsked{}, now_);
  const auto& page = std::get<AnswerWithList>(first.at(0));
  EXPECT_THAT(page.held, SizeIs(limits::kHandoverBatchMax));
  EXPECT_TRUE(page.more);
  const auto second = many.Handle(ListAsked{page.held.back().token}, now_);
  EXPECT_THAT(std::get<AnswerWithList>(second.at(0)).held, SizeIs(1));
}

using Tickets = KeeperBooksTest;

TEST_F(Tickets, WaitForTheirReaderAfterTheirCreatorIsGone) {
  EXPECT_THAT(Handle(CountableTicket()),
              ElementsAre(Done(), Watches(kMaster), Watches(kCreator)));
  EXPECT_THAT(Handle(ProcessEnded{kCreator}), IsEmpty());
  EXPECT_THAT(Handle(FetchAsked{kToken, kReader}),
              ElementsAre(VariantWith<AnswerWithDescriptor>(
                              AnswerWithDescriptor{kFd, Card(), true}),
                          Watches(kReader)));
}

TEST_F(Tickets, WaitForAsManyReadersAsTheyWereHandedOutTo) {
  EXPECT_THAT(Handle(Awaited{kToken, kCreator}), IsEmpty());  // unknown yet
  Handle(CountableTicket());
  EXPECT_THAT(Handle(Awaited{kToken, kCreator}), IsEmpty());
  Handle(FetchAsked{kToken, kReader});
  // One is still to come: nobody is asked who holds it.
  EXPECT_THAT(Handle(ProcessEnded{kReader}), Not(Contains(Counts(kFd))));
  Handle(FetchAsked{kToken, kReader + 1});
  EXPECT_THAT(Handle(ProcessEnded{kReader + 1}), Contains(Counts(kFd)));
}

TEST_F(Tickets, GoToOneMoreReaderFromTheirCreatorOnly) {
  Handle(CountableTicket());
  Handle(Awaited{kToken, kCreator + 1});
  Handle(FetchAsked{kToken, kReader});
  EXPECT_THAT(Handle(ProcessEnded{kReader}), Contains(Counts(kFd)));
}

TEST_F(Tickets, AreSpokenOfByNoticeOrByQuestion) {
  Handle(CountableTicket());
  EXPECT_THAT(Handle(Awaited{kToken, kCreator, true}), ElementsAre(Done()));
  EXPECT_THAT(Handle(Awaited{kToken, kReader, true}),
              ElementsAre(Refused(Reason::kSegmentGone)));
  EXPECT_THAT(Handle(Opened{kToken, kReader, true}),
              ElementsAre(Done(), Watches(kReader)));
  EXPECT_THAT(Handle(Opened{{7, 7}, kReader, true}), ElementsAre(Done()));
}

TEST_F(Tickets, AreNotLookedAfterWhileAReaderIsStillToCome) {
  Handle(CountableTicket());
  Handle(Awaited{kToken, kCreator});
  Handle(FetchAsked{kToken, kReader});
  Handle(ProcessEnded{kReader});
  Handle(ProcessEnded{kCreator});  // its ancestor lives
  Pass(absl::Seconds(1));
  EXPECT_THAT(Handle(TimePassed{}), IsEmpty());
  EXPECT_THAT(Handle(ProcessEnded{kMaster}), Contains(Counts(kFd)));
}

TEST_F(Tickets, CountAReaderThatOpenedTheSegmentByItself) {
  Handle(CountableTicket());
  EXPECT_THAT(Handle(Opened{kToken, kReader}), ElementsAre(Watches(kReader)));
  EXPECT_THAT(Handle(ProcessEnded{kReader}), ElementsAre(Counts(kFd)));
  EXPECT_THAT(Handle(Opened{{7, 7}, kReader}), IsEmpty());  // let go before
}

TEST_F(Tickets, EndWithTheLastOfTheirCreatorAndItsAncestors) {
  Handle(CountableTicket());
  EXPECT_THAT(Handle(ProcessEnded{kMaster}), IsEmpty());
  EXPECT_THAT(Handle(ProcessEnded{kCreator}), ElementsAre(Counts(kFd)));
  EXPECT_THAT(Handle(HoldersCounted{kToken, false}), ElementsAre(Closes(kFd)));
  EXPECT_TRUE(books_.empty());
}

// The answer to a question that was put before came after one more reader was
// promised, and the ticket went.
TEST_F(Tickets, KeepATicketThatWasHandedOutWhileTheKernelWasAsked) {
  Handle(CountableTicket());
  Handle(FetchAsked{kToken, kReader});
  EXPECT_THAT(Handle(ReleaseAsked{kToken, kReader}), Contains(Counts(kFd)));
  Handle(Awaited{kToken, kCreator});
  EXPECT_THAT(Handle(HoldersCounted{kToken, false}), IsEmpty());
  EXPECT_THAT(Handle(FetchAsked{kToken, kReader}),
              Not(Contains(Refused(Reason::kSegmentGone))));
}

TEST_F(Tickets, EndOnlyWhenNobodyHoldsTheBytesThatWereFetched) {
  Handle(CountableTicket());
  Handle(FetchAsked{kToken, kReader});
  EXPECT_THAT(Handle(ReleaseAsked{kToken, kCreator}),
              ElementsAre(Done(), Counts(kFd)));
  EXPECT_THAT(Handle(HoldersCounted{kToken, true}), IsEmpty());
  EXPECT_THAT(Handle(ProcessEnded{kReader}), ElementsAre(Counts(kFd)));
  EXPECT_THAT(
      Handle(HoldersCounted{kToken, false}),
      ElementsAre(Closes(kFd), Unwatches(kMaster), Unwatches(kCreator)));
}

TEST_F(Tickets, AreLookedAfterOnceASecondWhereNobodyTellsOfAnEnd) {
  Handle(CountableTicket());
  EXPECT_EQ(books_.next_wake(), std::nullopt);
  Handle(FetchAsked{kToken, kReader});
  EXPECT_EQ(books_.next_wake(), now_ + absl::Seconds(1));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Handle(TimePassed{}), ElementsAre(Counts(kFd)));
  EXPECT_THAT(Handle(HoldersCounted{kToken, true}), IsEmpty());
  EXPECT_THAT(Handle(TimePassed{}), IsEmpty());  // not due yet
  Pass(absl::Hours(1000));                       // no timer ever ends it
  EXPECT_THAT(Handle(TimePassed{}), ElementsAre(Counts(kFd)));
  Handle(HoldersCounted{kToken, true});
  EXPECT_FALSE(books_.empty());
}

TEST_F(Tickets, AreNotLetGoForTimeAloneBeforeTheyWereFetched) {
  Handle(CountableTicket());
  Pass(absl::Hours(1000));
  EXPECT_THAT(Handle(TimePassed{}), IsEmpty());
  EXPECT_THAT(Handle(ReleaseAsked{kToken, kCreator}), ElementsAre(Done()));
  EXPECT_FALSE(books_.empty());
}

TEST_F(Tickets, EndWhenWithdrawnAndHeldByNobody) {
  Handle(CountableTicket());
  EXPECT_THAT(Handle(ReleaseAsked{kToken, kCreator, true}),
              ElementsAre(Done(), Counts(kFd)));
}

TEST_F(Tickets, CountTheProcessesWhereTheKernelCant) {
  Handle(UncountableTicket());
  Handle(FetchAsked{kToken, kReader});
  EXPECT_EQ(books_.next_wake(), std::nullopt);
  EXPECT_THAT(Handle(ReleaseAsked{kToken, kCreator}), ElementsAre(Done()));
  EXPECT_THAT(Handle(ProcessEnded{kReader}), Contains(Closes(kFd)));
}

TEST_F(Tickets, CountTheirCreatorWhereTheKernelSeesOnlyItsReaders) {
  TicketAsked asked = CountableTicket();
  asked.depositor_countable = false;
  Handle(asked);
  Handle(FetchAsked{kToken, kReader});
  EXPECT_THAT(Handle(ProcessEnded{kReader}), IsEmpty());
  EXPECT_THAT(Handle(ProcessEnded{kCreator}), ElementsAre(Counts(kFd)));
}

TEST_F(Tickets, ShareOneWatchOnAProcessAndLetItGoWithTheLast) {
  Handle(CountableTicket());
  TicketAsked second = CountableTicket();
  second.token = {7, 7};
  second.fd = 41;
  EXPECT_THAT(Handle(second), ElementsAre(Done()));
  EXPECT_THAT(Handle(DropAsked{{kToken}}), ElementsAre(Done(), Closes(kFd)));
  EXPECT_THAT(
      Handle(DropAsked{{second.token}}),
      ElementsAre(Done(), Closes(41), Unwatches(kMaster), Unwatches(kCreator)));
}

TEST_F(Tickets, AreRefusedWhenTooManyProcessesWouldBeWatched) {
  TicketAsked asked = CountableTicket();
  asked.ancestors = {1, 2, 3, 4};
  EXPECT_THAT(Handle(asked),
              ElementsAre(Refused(Reason::kTooLarge), Closes(kFd)));
}

TEST_F(Tickets, CantBeReplacedNorDepositedOver) {
  Handle(CountableTicket());
  EXPECT_THAT(Handle(DepositAsked{kToken, 41, Card(), kCreator, true}),
              ElementsAre(Refused(Reason::kBadUsage), Closes(41)));
}

TEST_F(Tickets, AreToldFromSegmentsInTheList) {
  Handle(CountableTicket());
  Handle(FetchAsked{kToken, kReader});
  const auto actions = Handle(ListAsked{});
  EXPECT_THAT(std::get<AnswerWithList>(actions.at(0)).held,
              ElementsAre(HeldSegment{kToken, SegmentKind::kSealed, true, true,
                                      kCreator, 8}));
}

}  // namespace
}  // namespace hearth::worker
