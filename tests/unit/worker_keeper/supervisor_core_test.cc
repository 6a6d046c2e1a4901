#include "worker/keeper/supervisor_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "hearth/base/limits.h"

namespace hearth::worker {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::VariantWith;

auto Starts(ChildIndex child) {
  return VariantWith<StartChild>(Field(&StartChild::child, child));
}
auto StartsAfter(ChildIndex child, std::size_t predecessors) {
  return VariantWith<StartChild>(::testing::AllOf(
      Field(&StartChild::child, child),
      Field(&StartChild::predecessors, ::testing::SizeIs(predecessors))));
}
auto Terminates(ChildIndex child) {
  return VariantWith<TerminateChild>(TerminateChild{child});
}
auto Kills(ChildIndex child) {
  return VariantWith<KillChild>(KillChild{child});
}
auto KillsHung(ChildIndex child) {
  return VariantWith<KillHungChild>(KillHungChild{child});
}
auto Leaves(ChildIndex child) {
  return VariantWith<AskToLeave>(AskToLeave{child});
}
auto Finishes(int status) { return VariantWith<Finish>(Finish{status}); }
auto TellsTo(ChildIndex child) {
  return VariantWith<TellStory>(Field(&TellStory::to, child));
}
auto GivesUp() {
  return VariantWith<ReportEnd>(
      Field(&ReportEnd::story, Field(&WorkerStory::given_up, true)));
}

WorkerStory Exited(int status) {
  WorkerStory story;
  story.code = status;
  return story;
}
WorkerStory Killed(int signal) {
  WorkerStory story;
  story.end = WorkerStory::End::kSignalled;
  story.code = signal;
  return story;
}

class Supervisor : public ::testing::Test {
 protected:
  explicit Supervisor(SupervisorCore::Options options = {.worker_count = 2})
      : core_(options) {}

  std::vector<SupervisorAction> Handle(const SupervisorEvent& event) {
    return core_.Handle(event, now_);
  }
  void Pass(absl::Duration time) { now_ += time; }

  SupervisorCore core_;
  absl::Time now_ = absl::UnixEpoch();
};

// Child 0 is the coordinator, 1 and 2 are workers.
class ClusterSupervisor : public Supervisor {
 protected:
  ClusterSupervisor() : Supervisor({.essential_count = 1, .worker_count = 2}) {}
};

TEST_F(Supervisor, StartsEveryWorkerAndSaysWhenAllAreReady) {
  EXPECT_THAT(Handle(Began{}), ElementsAre(Starts(0), Starts(1)));
  EXPECT_THAT(Handle(ChildSaidReady{1}), IsEmpty());
  EXPECT_THAT(Handle(ChildSaidReady{0}),
              ElementsAre(VariantWith<AllReady>(AllReady{})));
  EXPECT_THAT(Handle(ChildSaidReady{0}), IsEmpty());
}

TEST_F(Supervisor, StartsACrashedWorkerAgainAfterABackOff) {
  Handle(Began{});
  Handle(ChildEnded{0, Killed(SIGSEGV)});
  EXPECT_EQ(core_.next_wake(), now_ + absl::Milliseconds(100));
  EXPECT_THAT(Handle(TimeWentBy{}), IsEmpty());
  Pass(absl::Milliseconds(100));
  EXPECT_THAT(Handle(TimeWentBy{}), ElementsAre(StartsAfter(0, 1)));
  Handle(ChildEnded{0, Killed(SIGSEGV)});
  EXPECT_EQ(core_.next_wake(), now_ + absl::Milliseconds(200));
}

TEST_F(Supervisor, GivesUpAWorkerThatSaysNoBeforeItIsReady) {
  Handle(Began{});
  EXPECT_THAT(Handle(ChildEnded{0, Exited(1)}), Contains(GivesUp()));
}

TEST_F(Supervisor, GivesAWorkerUpAfterThreeCrashesInAMinute) {
  Handle(Began{});
  Handle(ChildSaidReady{0});
  for (int crash = 1; crash <= 2; ++crash) {
    EXPECT_THAT(Handle(ChildEnded{0, Exited(1)}), Not(Contains(GivesUp())));
    Pass(absl::Seconds(1));
    Handle(TimeWentBy{});
  }
  EXPECT_THAT(Handle(ChildEnded{0, Exited(1)}), ElementsAre(GivesUp()));
  EXPECT_EQ(core_.next_wake(), std::nullopt);
}

TEST_F(Supervisor, GoesOnForEverWithAWorkerThatCrashesNowAndThen) {
  Handle(Began{});
  Handle(ChildSaidReady{0});
  for (int crash = 0; crash < 50; ++crash) {
    EXPECT_THAT(Handle(ChildEnded{0, Exited(1)}), Not(Contains(GivesUp())));
    Pass(absl::Seconds(31));
    EXPECT_THAT(Handle(TimeWentBy{}), ElementsAre(Starts(0)));
  }
}

TEST_F(Supervisor, EndsWithStatus1WhenAllWorkersAreGivenUp) {
  Handle(Began{});
  Handle(ChildSaidReady{0});
  Handle(ChildEnded{1, Exited(0)});  // one was done, and stays so
  for (int crash = 1; crash <= 2; ++crash) {
    Handle(ChildEnded{0, Exited(1)});
    Pass(absl::Seconds(1));
    Handle(TimeWentBy{});
  }
  EXPECT_THAT(Handle(ChildEnded{0, Exited(1)}),
              ElementsAre(GivesUp(), Finishes(1)));
}

TEST_F(Supervisor, EndsWithStatus0WhenAllWorkersAreDone) {
  Handle(Began{});
  EXPECT_THAT(Handle(ChildEnded{0, Exited(0)}), IsEmpty());
  EXPECT_THAT(Handle(ChildEnded{1, Exited(0)}), ElementsAre(Finishes(0)));
}

TEST_F(Supervisor, TellsEveryLivingSiblingOfADeath) {
  Handle(Began{});
  Handle(ChildSaidReady{0});
  Handle(ChildSaidReady{1});
  EXPECT_THAT(Handle(ChildEnded{0, Killed(SIGKILL)}), Contains(TellsTo(1)));
}

TEST_F(Supervisor, RepeatsAStoryWhoseHearersMayHaveDiedOfTheSame) {
  Handle(Began{});
  Handle(ChildSaidReady{0});
  Handle(ChildSaidReady{1});
  EXPECT_THAT(Handle(ChildEnded{0, Killed(SIGKILL)}), Contains(TellsTo(1)));
  EXPECT_THAT(Handle(ChildEnded{1, Killed(SIGKILL)}),
              Not(Contains(TellsTo(0))));
  Pass(absl::Milliseconds(100));
  Handle(TimeWentBy{});
  EXPECT_THAT(Handle(ChildSaidReady{1}), Contains(TellsTo(1)));
  EXPECT_THAT(Handle(ChildSaidReady{0}), Contains(TellsTo(0)));
}

TEST_F(Supervisor, TellsNoOldNews) {
  Handle(Began{});
  Handle(ChildEnded{0, Killed(SIGKILL)});
  Pass(absl::Seconds(11));
  EXPECT_THAT(Handle(ChildSaidReady{1}), Not(Contains(TellsTo(1))));
}

TEST_F(Supervisor, KeepsAStoryUntilSomebodyCanHearIt) {
  Handle(Began{});
  EXPECT_THAT(Handle(ChildEnded{0, Killed(SIGKILL)}),
              Not(Contains(TellsTo(1))));
  EXPECT_THAT(Handle(ChildSaidReady{1}), ElementsAre(TellsTo(1)));
}

TEST_F(Supervisor, StopsWithGraceAndThenWithout) {
  Handle(Began{});
  EXPECT_THAT(Handle(StopAsked{130}),
              ElementsAre(Terminates(0), Terminates(1)));
  EXPECT_THAT(Handle(ChildEnded{0, Killed(SIGTERM)}), IsEmpty());
  EXPECT_EQ(core_.next_wake(), now_ + absl::Seconds(2));
  Pass(absl::Seconds(2));
  EXPECT_THAT(Handle(TimeWentBy{}), ElementsAre(Kills(1)));
  EXPECT_THAT(Handle(ChildEnded{1, Killed(SIGKILL)}),
              ElementsAre(Finishes(130)));
}

TEST_F(Supervisor, StopsAtOnceWhenAskedTwice) {
  Handle(Began{});
  Handle(StopAsked{130});
  EXPECT_THAT(Handle(StopAsked{130}), ElementsAre(Kills(0), Kills(1)));
}

TEST_F(Supervisor, StartsNobodyAgainWhileStopping) {
  Handle(Began{});
  Handle(ChildEnded{0, Killed(SIGSEGV)});
  EXPECT_THAT(Handle(StopAsked{0}), ElementsAre(Terminates(1)));
  EXPECT_THAT(Handle(ChildEnded{1, Exited(0)}), ElementsAre(Finishes(0)));
}

TEST_F(Supervisor, LetsWorkersLeaveByThemselves) {
  Handle(Began{});
  Handle(ChildSaidReady{0});
  Handle(ChildSaidReady{1});
  EXPECT_THAT(Handle(LeaveAsked{}), ElementsAre(Leaves(0), Leaves(1)));
  // One that crashes meanwhile is not started again.
  EXPECT_THAT(Handle(ChildEnded{0, Killed(SIGKILL)}), IsEmpty());
  for (int second = 0; second < 60; ++second) {
    Pass(absl::Seconds(1));
    EXPECT_THAT(Handle(ChildIsLeaving{1}), IsEmpty());
    EXPECT_THAT(Handle(TimeWentBy{}), IsEmpty());
  }
  EXPECT_THAT(Handle(ChildEnded{1, Exited(0)}), ElementsAre(Finishes(0)));
}

TEST_F(Supervisor, EndsWorkersThatSayNothingWhileTheyLeave) {
  Handle(Began{});
  Handle(ChildSaidReady{0});
  EXPECT_THAT(Handle(LeaveAsked{}), ElementsAre(Leaves(0), Terminates(1)));
  Pass(absl::Seconds(10));
  EXPECT_THAT(Handle(TimeWentBy{}), ElementsAre(Terminates(0), Terminates(1)));
  Pass(absl::Seconds(2));
  EXPECT_THAT(Handle(TimeWentBy{}), ElementsAre(Kills(0), Kills(1)));
}

TEST_F(Supervisor, LeavesAtOnceWhenAskedTwice) {
  Handle(Began{});
  Handle(ChildSaidReady{0});
  Handle(ChildSaidReady{1});
  Handle(LeaveAsked{});
  EXPECT_THAT(Handle(LeaveAsked{}), ElementsAre(Kills(0), Kills(1)));
}

// Looks at all, one a second, as the shell does; the last one's actions.
class Looking : public Supervisor {
 protected:
  std::vector<SupervisorAction> Look(int times) {
    std::vector<SupervisorAction> actions;
    for (int i = 0; i < times; ++i) {
      EXPECT_THAT(actions, IsEmpty());
      Pass(absl::Seconds(1));
      actions = Handle(TimeWentBy{});
    }
    return actions;
  }
};

// A worker that was stopped stayed so for ever: given up by its coordinator,
// kept by its keeper.
TEST_F(Looking, KillsAWorkerThatHasFallenSilentAndStartsAnother) {
  Handle(Began{});
  EXPECT_EQ(core_.next_wake(), std::nullopt);  // nobody to look for
  Handle(ChildSaidReady{0});
  Handle(ChildIsAlive{0});
  EXPECT_EQ(core_.next_wake(), now_ + absl::Seconds(1));
  EXPECT_THAT(Look(limits::kSilentLooksMax), ElementsAre(KillsHung(0)));
  EXPECT_THAT(Handle(ChildEnded{0, Killed(SIGKILL)}),
              ElementsAre(VariantWith<ReportEnd>(::testing::_)));
  Pass(absl::Milliseconds(100));
  EXPECT_THAT(Handle(TimeWentBy{}), ElementsAre(StartsAfter(0, 1)));
}

TEST_F(Looking, SparesAWorkerThatComesBackInTime) {
  Handle(Began{});
  Handle(ChildIsAlive{0});
  EXPECT_THAT(Look(limits::kSilentLooksMax - 1), IsEmpty());
  Handle(ChildIsAlive{0});
  EXPECT_THAT(Look(limits::kSilentLooksMax - 1), IsEmpty());
}

TEST_F(Looking, CountsLooksAndNotTheTimeThatItSleptItself) {
  Handle(Began{});
  Handle(ChildIsAlive{0});
  Pass(absl::Hours(8));
  EXPECT_THAT(Handle(TimeWentBy{}), IsEmpty());
  EXPECT_THAT(Look(limits::kSilentLooksMax - 2), IsEmpty());
}

TEST_F(Looking, LooksAsLongAgainAtOneThatWasSpared) {
  Handle(Began{});
  Handle(ChildIsAlive{0});
  EXPECT_THAT(Look(limits::kSilentLooksMax), ElementsAre(KillsHung(0)));
  EXPECT_THAT(Look(limits::kSilentLooksMax), ElementsAre(KillsHung(0)));
}

TEST_F(ClusterSupervisor, DoesNotLookForAHungCoordinator) {
  Handle(Began{});
  Handle(ChildIsAlive{0});
  EXPECT_EQ(core_.next_wake(), std::nullopt);
}

TEST_F(ClusterSupervisor, EndsEverythingWithItsCoordinator) {
  EXPECT_THAT(Handle(Began{}), ElementsAre(Starts(0), Starts(1), Starts(2)));
  EXPECT_THAT(Handle(ChildEnded{0, Exited(3)}),
              ElementsAre(VariantWith<ReportEnd>(::testing::_), Terminates(1),
                          Terminates(2)));
  Handle(ChildEnded{1, Exited(0)});
  EXPECT_THAT(Handle(ChildEnded{2, Exited(0)}), ElementsAre(Finishes(3)));
}

TEST_F(ClusterSupervisor, FailsWhenASignalEndedTheCoordinator) {
  Handle(Began{});
  Handle(ChildEnded{0, Killed(SIGKILL)});
  Handle(ChildEnded{1, Exited(0)});
  EXPECT_THAT(Handle(ChildEnded{2, Exited(0)}), ElementsAre(Finishes(1)));
}

TEST_F(ClusterSupervisor, TellsTheCoordinatorItself) {
  Handle(Began{});
  Handle(ChildSaidReady{0});
  EXPECT_THAT(Handle(ChildEnded{1, Killed(SIGKILL)}), Contains(TellsTo(0)));
}

TEST_F(ClusterSupervisor, LeavesTheCoordinatorTimeToTellWhyNobodyIsLeft) {
  Handle(Began{});
  Handle(ChildSaidReady{0});
  Handle(ChildEnded{1, Exited(1)});
  EXPECT_THAT(Handle(ChildEnded{2, Exited(1)}), Not(Contains(Terminates(0))));
  EXPECT_EQ(core_.next_wake(), now_ + absl::Seconds(1));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Handle(TimeWentBy{}), Contains(Terminates(0)));
  EXPECT_THAT(Handle(ChildEnded{0, Exited(0)}), ElementsAre(Finishes(1)));
}

TEST_F(ClusterSupervisor, CountsSlotsFromTheFirstWorker) {
  Handle(Began{});
  Handle(ChildSaidReady{2});
  EXPECT_THAT(Handle(ChildEnded{1, Exited(9)}),
              Contains(VariantWith<TellStory>(
                  Field(&TellStory::story, Field(&WorkerStory::slot, 0u)))));
}

}  // namespace
}  // namespace hearth::worker
