// Real keepers with real children: this test program in another role.

#include "worker/keeper/keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <limits>

#include "absl/strings/str_cat.h"
#include "hearth/base/id.h"
#include "tests/unit/worker_keeper/system_faults.h"
#include "tests/unit/worker_keeper/test_processes.h"

namespace hearth::worker {
namespace {

using ::hearth::worker::testing::Alive;
using ::hearth::worker::testing::Eventually;
using ::hearth::worker::testing::Faults;
using ::hearth::worker::testing::KeeperProcess;
using ::hearth::worker::testing::Report;
using ::hearth::worker::testing::WorkerThat;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

KeeperOptions Workers(int count, const ChildCommand& command) {
  KeeperOptions options;
  options.worker_count = count;
  options.worker = command;
  return options;
}

bool AllGone(const std::vector<pid_t>& processes) {
  return Eventually(
      [&] { return std::none_of(processes.begin(), processes.end(), Alive); });
}

TEST(Keeper, TellsThePidsOfItsWorkersOnceAllAreReady) {
  KeeperProcess keeper(Workers(3, WorkerThat("serve")));
  const auto pids = keeper.Ready();
  ASSERT_THAT(pids, SizeIs(3));
  EXPECT_TRUE(std::all_of(pids.begin(), pids.end(), Alive));
}

TEST(Keeper, LeavesNoProcessWhenItsLifelineEnds) {
  KeeperProcess keeper(Workers(3, WorkerThat("stubborn")));
  const auto pids = keeper.Ready();
  ASSERT_THAT(pids, SizeIs(3));
  keeper.CloseLifeline();
  EXPECT_EQ(keeper.Ended(), 0);
  EXPECT_TRUE(AllGone(pids));
}

TEST(Keeper, TakesItsWorkersAlongWhenItIsKilled) {
  KeeperProcess keeper(Workers(3, WorkerThat("stubborn")));
  const auto pids = keeper.Ready();
  ASSERT_THAT(pids, SizeIs(3));
  keeper.Signal(SIGKILL);
  EXPECT_EQ(keeper.Ended(), 128 + SIGKILL);
  EXPECT_TRUE(AllGone(pids));
}

TEST(Keeper, EndsItsWorkersWhenAskedToStop) {
  for (const auto& [signal, status] :
       {std::pair{SIGTERM, 0}, std::pair{SIGINT, 130}}) {
    KeeperProcess keeper(Workers(2, WorkerThat("serve")));
    const auto pids = keeper.Ready();
    ASSERT_THAT(pids, SizeIs(2));
    keeper.Signal(signal);
    EXPECT_EQ(keeper.Ended(), status);
    EXPECT_TRUE(AllGone(pids));
  }
}

TEST(Keeper, KillsWorkersThatDoNotStopWithinTheGrace) {
  KeeperOptions options = Workers(1, WorkerThat("stubborn"));
  options.grace = absl::Milliseconds(50);
  KeeperProcess keeper(std::move(options));
  const auto pids = keeper.Ready();
  ASSERT_THAT(pids, SizeIs(1));
  keeper.Signal(SIGTERM);
  EXPECT_EQ(keeper.Ended(), 0);
  EXPECT_TRUE(AllGone(pids));
}

TEST(Keeper, StartsACrashedWorkerAgainAndTellsItsStory) {
  Report report;
  KeeperProcess keeper(
      Workers(1, WorkerThat("crash-first", report.write_end())));
  EXPECT_THAT(report.Line(), StartsWith("ready: 0 "));
  EXPECT_THAT(report.Line(), AllOf(StartsWith("predecessor: worker 0 (pid "),
                                   HasSubstr("exited with status 3")));
  EXPECT_EQ(report.Line(), "last line: slot 0 is up");
  EXPECT_EQ(report.Line(), "last line: about to crash");
  EXPECT_THAT(report.Line(), StartsWith("ready: 0 "));
}

TEST(Keeper, TellsASiblingOfAKilledWorker) {
  Report report;
  KeeperProcess keeper(Workers(2, WorkerThat("serve", report.write_end())));
  const auto pids = keeper.Ready();
  ASSERT_THAT(pids, SizeIs(2));
  EXPECT_THAT(report.Line(), StartsWith("ready: "));
  EXPECT_THAT(report.Line(), StartsWith("ready: "));
  ASSERT_EQ(kill(pids[0], SIGKILL), 0);
  const std::string story = absl::StrCat("worker 0 (pid ", pids[0],
                                         ") was killed by signal 9 (SIGKILL)");
  // The sibling hears it at once, the successor as it starts: in any order.
  std::vector<std::string> lines;
  for (int i = 0; i < 4; ++i) lines.push_back(report.Line());
  EXPECT_THAT(lines, UnorderedElementsAre(
                         StartsWith(absl::StrCat("sibling: ", story)),
                         StartsWith(absl::StrCat("predecessor: ", story)),
                         "last line: slot 0 is up", StartsWith("ready: 0 ")));
}

TEST(Keeper, GivesUpAfterThreeCrashesInAMinute) {
  KeeperProcess keeper(Workers(2, WorkerThat("crash-before-ready")));
  EXPECT_EQ(keeper.Ended(), 1);
}

TEST(Keeper, GivesUpOnAWorkerThatIsNoProgram) {
  ChildCommand missing = WorkerThat("serve");
  missing.argv[0] = "/nonexistent/worker";
  KeeperProcess keeper(Workers(1, missing));
  EXPECT_EQ(keeper.Ended(), 1);
}

// The kernel had room to watch some of a worker's descriptors, and not all: it
// was killed, its end was never known, and the keeper waited for it for ever.
TEST(Keeper, GivesUpOnAWorkerThatItCannotWatch) {
  for (const int watches : {3, 4, 5}) {
    Faults().watches_left = watches;
    KeeperProcess keeper(Workers(1, WorkerThat("serve")));
    Faults().watches_left = std::numeric_limits<int>::max();
    EXPECT_EQ(keeper.Ended(), 1) << watches;
  }
}

TEST(Keeper, EndsWhenItsWorkersAreDone) {
  KeeperProcess keeper(Workers(2, WorkerThat("finish")));
  EXPECT_EQ(keeper.Ended(), 0);
}

TEST(Keeper, EndsWithItsCoordinator) {
  KeeperOptions options = Workers(2, WorkerThat("serve"));
  options.essentials = {WorkerThat("serve")};
  options.essentials[0].name = "coordinator";
  KeeperProcess keeper(std::move(options));
  const auto pids = keeper.Ready();
  ASSERT_THAT(pids, SizeIs(3));
  ASSERT_EQ(kill(pids[0], SIGKILL), 0);
  EXPECT_EQ(keeper.Ended(), 1);
  EXPECT_TRUE(AllGone(pids));
}

TEST(Keeper, HandsChildrenTheirEnvironment) {
  const std::string mark =
      absl::StrCat("HEARTH_MARK=", Id::Random().ToString());
  ChildCommand command = WorkerThat("serve");
  command.environment = {mark};
  KeeperProcess keeper(Workers(2, command));
  ASSERT_THAT(keeper.Ready(), SizeIs(2));
  EXPECT_THAT(testing::ProcessesMarked(mark), SizeIs(2));
}

}  // namespace
}  // namespace hearth::worker
