#include "hearth/object/object_core.h"

#include <gmock/gmock.h>

#include "hearth/base/error.h"

namespace hearth {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::VariantWith;

constexpr Id kChain{1, 1};
constexpr Id kOther{2, 2};

absl::Time At(int seconds) { return absl::FromUnixSeconds(1000 + seconds); }

auto Starts(CallNumber call) { return VariantWith<StartCall>(StartCall{call}); }
MATCHER_P2(Refuses, call, reason, "") {
  const auto* refuse = std::get_if<RefuseCall>(&arg);
  return refuse != nullptr && refuse->call == static_cast<CallNumber>(call) &&
         ReasonOf(refuse->status) == reason;
}
MATCHER_P2(Stops, call, reason, "") {
  const auto* stop = std::get_if<StopCall>(&arg);
  return stop != nullptr && stop->call == static_cast<CallNumber>(call) &&
         ReasonOf(stop->status) == reason;
}

TEST(ObjectCore, RunsOneCallAtATimeInTheirOrder) {
  ObjectCore core({.name = "x"});
  EXPECT_THAT(core.Handle(CallArrived{1, kChain}, At(0)),
              ElementsAre(Starts(1)));
  EXPECT_THAT(core.Handle(CallArrived{2, kOther}, At(0)), IsEmpty());
  EXPECT_THAT(core.Handle(CallArrived{3, kOther}, At(0)), IsEmpty());
  EXPECT_THAT(core.Handle(CallEnded{1}, At(1)), ElementsAre(Starts(2)));
  EXPECT_THAT(core.Handle(CallEnded{2}, At(1)), ElementsAre(Starts(3)));
}

TEST(ObjectCore, RunsConcurrentCallsBesideAnyOther) {
  ObjectCore core({.name = "x"});
  core.Handle(CallArrived{1, kChain}, At(0));
  EXPECT_THAT(core.Handle(CallArrived{2, kOther, true}, At(0)),
              ElementsAre(Starts(2)));
  EXPECT_EQ(core.running_count(), 2);
}

TEST(ObjectCore, LetsAChainComeBackToAnObjectThatWaitsForIt) {
  ObjectCore core({.name = "x"});
  core.Handle(CallArrived{1, kChain}, At(0));
  core.Handle(CallWaits{1}, At(0));
  EXPECT_THAT(core.Handle(CallArrived{2, kChain}, At(0)),
              ElementsAre(Starts(2)));
}

TEST(ObjectCore, LetsNoOtherChainIn) {
  ObjectCore core({.name = "x"});
  core.Handle(CallArrived{1, kChain}, At(0));
  core.Handle(CallWaits{1}, At(0));
  EXPECT_THAT(core.Handle(CallArrived{2, kOther}, At(0)), IsEmpty());
}

TEST(ObjectCore, LetsAChainThatCameBackTooSoonInOnceItIsWaitedFor) {
  ObjectCore core({.name = "x"});
  core.Handle(CallArrived{1, kChain}, At(0));
  EXPECT_THAT(core.Handle(CallArrived{2, kChain}, At(0)), IsEmpty());
  EXPECT_THAT(core.Handle(CallWaits{1}, At(0)), ElementsAre(Starts(2)));
}

TEST(ObjectCore, RefusesWhatTheQueueHasNoRoomFor) {
  ObjectCore core({.name = "x", .waiting_max = 1});
  core.Handle(CallArrived{1, kChain}, At(0));
  core.Handle(CallArrived{2, kOther}, At(0));
  EXPECT_THAT(core.Handle(CallArrived{3, kOther}, At(0)),
              ElementsAre(Refuses(3, Reason::kQueueFull)));
}

TEST(ObjectCore, RefusesWaitingAndStopsRunningCallsAtTheirDeadline) {
  ObjectCore core({.name = "x"});
  core.Handle(CallArrived{1, kChain, false, At(5)}, At(0));
  core.Handle(CallArrived{2, kOther, false, At(3)}, At(0));
  EXPECT_EQ(core.next_deadline(), At(3));
  EXPECT_THAT(core.Handle(ObjectTimePassed{}, At(3)),
              ElementsAre(Refuses(2, Reason::kDeadlineExceeded)));
  EXPECT_THAT(core.Handle(ObjectTimePassed{}, At(5)),
              ElementsAre(Stops(1, Reason::kDeadlineExceeded)));
  EXPECT_THAT(core.Handle(ObjectTimePassed{}, At(6)), IsEmpty());
}

TEST(ObjectCore, BoundsACallsTimeByItsClass) {
  ObjectCore core({.name = "x", .call_time_max = absl::Seconds(2)});
  core.Handle(CallArrived{1, kChain}, At(0));
  EXPECT_EQ(core.next_deadline(), At(2));
}

TEST(ObjectCore, StaysBusyUntilAStoppedCallHasReallyEnded) {
  ObjectCore core({.name = "x"});
  core.Handle(CallArrived{1, kChain}, At(0));
  core.Handle(CallArrived{2, kOther}, At(0));
  EXPECT_THAT(core.Handle(CallCancelled{1}, At(0)),
              ElementsAre(Stops(1, Reason::kCallCancelled)));
  EXPECT_EQ(core.waiting_count(), 1);
  EXPECT_THAT(core.Handle(CallEnded{1}, At(1)), ElementsAre(Starts(2)));
}

TEST(ObjectCore, RefusesEverythingOnceItIsTakenAway) {
  ObjectCore core({.name = "x"});
  core.Handle(CallArrived{1, kChain}, At(0));
  core.Handle(CallArrived{2, kOther}, At(0));
  EXPECT_THAT(core.Handle(ObjectEnded{}, At(0)),
              ElementsAre(Refuses(2, Reason::kObjectGone),
                          Stops(1, Reason::kOutcomeUnknown)));
  EXPECT_THAT(core.Handle(CallArrived{3, kOther}, At(0)),
              ElementsAre(Refuses(3, Reason::kObjectGone)));
}

TEST(ObjectCore, SendsRunningCallsOnOnlyIfTheyMayRunTwice) {
  ObjectCore core({.name = "x"});
  core.Handle(CallArrived{.call = 1, .chain = kChain, .idempotent = true},
              At(0));
  EXPECT_THAT(core.Handle(ObjectEnded{}, At(0)),
              ElementsAre(Stops(1, Reason::kObjectGone)));
}

}  // namespace
}  // namespace hearth
