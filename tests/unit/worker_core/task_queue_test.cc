// What a worker's threads do next, in which order partials are joined, and
// what is reported when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/core/task_queue_core.h"

namespace hearth::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Time kStart = absl::UnixEpoch();

template <class Kind>
std::vector<Kind> Of(const std::vector<QueueAction>& actions) {
  std::vector<Kind> found;
  for (const QueueAction& action : actions) {
    if (const auto* kind = std::get_if<Kind>(&action)) found.push_back(*kind);
  }
  return found;
}

Task Compute(std::uint64_t id, LeafRun run, int round = 0) {
  return {.id = id, .job = 1, .round = round, .run = run};
}

// A queue that is connected and briefed on job 1.
class Queue {
 public:
  explicit Queue(int threads = 1, std::int64_t leaf_count = 100, Id result = {})
      : core_(threads) {
    core_.Handle(Joined{}, kStart);
    core_.Handle(Briefed{1, 0, leaf_count, result}, kStart);
  }
  TaskQueueCore& core() { return core_; }
  std::vector<QueueAction> Tell(QueueEvent event) {
    return core_.Handle(event, now_);
  }
  Step Next(int thread = 0, Outcome outcome = Nothing{}) {
    auto turn = core_.Next(thread, std::move(outcome), now_);
    said_.insert(said_.end(), turn.actions.begin(), turn.actions.end());
    return turn.step;
  }
  // Plays a thread until it has nothing to do, with partials that spell out
  // how they came about: "((0 1) 2)".
  void Play(int thread = 0) {
    std::vector<std::string> slots(64);
    Step step = Next(thread);
    while (!std::holds_alternative<Idle>(step)) {
      Outcome outcome = Nothing{};
      if (const auto* leaf = std::get_if<ComputeLeaf>(&step)) {
        if (leaf->slot >= 0) {
          slots[static_cast<std::size_t>(leaf->slot)] =
              absl::StrCat(leaf->leaf);
        }
        ++leaves_;
        outcome = LeafDone{.status = absl::OkStatus(),
                           .traffic = {.bytes_mapped = 8}};
      } else if (const auto* combine = std::get_if<CombineSlots>(&step)) {
        auto& left = slots[static_cast<std::size_t>(combine->left)];
        left =
            absl::StrCat("(", left, " ",
                         slots[static_cast<std::size_t>(combine->right)], ")");
        outcome = SlotsCombined{};
      } else if (const auto* deliver = std::get_if<DeliverSlots>(&step)) {
        Delivered delivered;
        for (std::size_t i = 0; i < deliver->runs.size(); ++i) {
          delivered.partials.push_back({.inline_bytes = slots[i]});
        }
        outcome = std::move(delivered);
      }
      step = Next(thread, std::move(outcome));
    }
  }
  std::vector<QueueAction> TakeSaid() { return std::exchange(said_, {}); }
  std::vector<Commit> TakeCommits() {
    std::vector<Commit> commits;
    for (const Send& send : Of<Send>(TakeSaid())) {
      for (const Report& report : send.reports) {
        if (const auto* commit = std::get_if<Commit>(&report)) {
          commits.push_back(*commit);
        }
      }
    }
    return commits;
  }
  void Wait(absl::Duration time) { now_ += time; }
  int leaves() const { return leaves_; }

 private:
  TaskQueueCore core_;
  absl::Time now_ = kStart;
  std::vector<QueueAction> said_;
  int leaves_ = 0;
};

TEST(TaskQueue, CombinesTheLeavesOfARunAlongTheTree) {
  Queue queue;
  queue.Tell(Assigned{{Compute(1, {4, 8})}});
  queue.Play();
  const auto commits = queue.TakeCommits();
  ASSERT_THAT(commits, SizeIs(1));
  EXPECT_EQ(commits[0].partial.inline_bytes, "((4 5) (6 7))");
  EXPECT_EQ(commits[0].run, (LeafRun{4, 8}));
  EXPECT_EQ(commits[0].traffic.bytes_mapped, 32);
  EXPECT_TRUE(commits[0].task_done);
}

TEST(TaskQueue, CutsTheTreeOffAtTheLastLeaf) {
  Queue queue(1, /*leaf_count=*/7);
  queue.Tell(Assigned{{Compute(1, {0, 7})}});
  queue.Play();
  const auto commits = queue.TakeCommits();
  ASSERT_THAT(commits, SizeIs(1));
  EXPECT_EQ(commits[0].partial.inline_bytes, "(((0 1) (2 3)) ((4 5) 6))");
}

TEST(TaskQueue, CommitsEachNodeOfARunThatIsNone) {
  Queue queue;
  queue.Tell(Assigned{{Compute(1, {3, 8})}});
  queue.Play();
  const auto commits = queue.TakeCommits();
  ASSERT_THAT(commits, SizeIs(2));
  EXPECT_EQ(commits[0].partial.inline_bytes, "3");
  EXPECT_FALSE(commits[0].task_done);
  EXPECT_EQ(commits[1].partial.inline_bytes, "((4 5) (6 7))");
  EXPECT_TRUE(commits[1].task_done);
}

TEST(TaskQueue, WritesLeavesWithoutSlotsWhereTheJobConcatenates) {
  Queue queue(1, 100, /*result=*/Id{0, 5});
  queue.Tell(Assigned{{Compute(1, {0, 4})}});
  const Step step = queue.Next();
  EXPECT_EQ(std::get<ComputeLeaf>(step).slot, -1);
  queue.Next(0, LeafDone{});
  queue.Next(0, LeafDone{});
  queue.Next(0, LeafDone{});
  EXPECT_TRUE(std::holds_alternative<Idle>(queue.Next(0, LeafDone{})));
  const auto commits = queue.TakeCommits();
  ASSERT_THAT(commits, SizeIs(1));
  EXPECT_EQ(commits[0].run, (LeafRun{0, 4}));
  EXPECT_EQ(commits[0].partial, BytesRef{});
  EXPECT_EQ(commits[0].written_to, (Id{0, 5}));
}

TEST(TaskQueue, LeavesWhatWasTakenOverToTheOther) {
  Queue queue;
  queue.Tell(Assigned{{Compute(1, {0, 8})}});
  queue.Tell(Shrunk{1, 4});
  queue.Play();
  const auto commits = queue.TakeCommits();
  ASSERT_THAT(commits, SizeIs(1));
  EXPECT_EQ(commits[0].run, (LeafRun{0, 4}));
  EXPECT_EQ(queue.leaves(), 4);
}

TEST(TaskQueue, KeepsWhatItHasBegunWhenAShrinkComesLate) {
  Queue queue;
  queue.Tell(Assigned{{Compute(1, {0, 8})}});
  queue.Next();                    // 0
  queue.Next(0, LeafDone{});       // 1
  queue.Next(0, LeafDone{});       // 0 and 1
  queue.Next(0, SlotsCombined{});  // 2
  EXPECT_EQ(std::get<ComputeLeaf>(queue.Next(0, LeafDone{})).leaf, 3);
  queue.Tell(Shrunk{1, 2});
  queue.Next(0, LeafDone{});       // 2 and 3
  queue.Next(0, SlotsCombined{});  // 0-1 and 2-3
  const Step step = queue.Next(0, SlotsCombined{});
  EXPECT_THAT(std::get<DeliverSlots>(step).runs, ElementsAre(LeafRun{0, 4}));
}

TEST(TaskQueue, WakesAsManyThreadsAsThereIsWorkFor) {
  Queue queue(4);
  for (int thread = 0; thread < 3; ++thread) queue.Next(thread);
  EXPECT_THAT(Of<Wake>(queue.Tell(Assigned{{Compute(1, {0, 1})}})),
              ElementsAre(::testing::Field(&Wake::thread_count, 1)));
  const auto wakes =
      Of<Wake>(queue.Tell(Assigned{{Compute(2, {1, 2}), Compute(3, {2, 3}),
                                    Compute(4, {3, 4}), Compute(5, {4, 5})}}));
  ASSERT_THAT(wakes, SizeIs(1));
  EXPECT_EQ(wakes[0].thread_count, 3);
}

TEST(TaskQueue, ForgetsWhatWasRevokedAndInterruptsWhatRuns) {
  Queue queue;
  queue.Tell(
      Assigned{{Compute(1, {0, 1}), Compute(2, {1, 2}), Compute(3, {2, 3})}});
  queue.Next();
  const auto actions = queue.Tell(Revoked{{1, 2}});
  EXPECT_THAT(Of<Interrupt>(actions), SizeIs(1));
  const Step step = queue.Next(0, LeafDone{});
  EXPECT_EQ(std::get<ComputeLeaf>(step).leaf, 2);
  EXPECT_THAT(queue.TakeCommits(), IsEmpty());
}

TEST(TaskQueue, DropsTheSegmentOfAPartialThatIsNotWantedAnyMore) {
  Queue queue;
  queue.Tell(Assigned{{Compute(1, {0, 1})}});
  queue.Next();
  ASSERT_TRUE(std::holds_alternative<DeliverSlots>(queue.Next(0, LeafDone{})));
  queue.Tell(Released{1});
  queue.Next(0, Delivered{.partials = {{.token = Id{0, 5}}}});
  const auto drops = Of<DropTokens>(queue.TakeSaid());
  ASSERT_THAT(drops, SizeIs(1));
  EXPECT_THAT(drops[0].tokens, ElementsAre(Id{0, 5}));
}

// Found by seed 4517: two workers finished, one of them was interrupted and
// dropped the segment that both had named as the result.
TEST(TaskQueue, DropsNoSegmentThatAllTasksOfAJobWroteInto) {
  Queue queue(1, 100, /*result=*/Id{0, 5});
  queue.Tell(Assigned{{{.id = 1, .kind = TaskKind::kFinish, .job = 1}}});
  queue.Next();
  queue.Tell(Disconnected{});
  queue.Next(0, WholeDone{FinishDone{.results = {{.token = Id{0, 5}}}}});
  EXPECT_THAT(Of<DropTokens>(queue.TakeSaid()), IsEmpty());
}

TEST(TaskQueue, ANewRoundEndsTheOldOne) {
  Queue queue(2);
  queue.Tell(Assigned{{Compute(1, {0, 8}), Compute(2, {8, 16})}});
  queue.Next(0);
  EXPECT_THAT(Of<Interrupt>(queue.Tell(Briefed{1, 1, 100, {}})), SizeIs(1));
  EXPECT_EQ(queue.core().waiting_count(), 0u);
  queue.Tell(Assigned{{Compute(3, {0, 1}, /*round=*/1)}});
  EXPECT_EQ(std::get<ComputeLeaf>(queue.Next(0, LeafDone{})).round, 1);
}

TEST(TaskQueue, ReportsAFailureOnceAndGoesOn) {
  Queue queue;
  queue.Tell(Assigned{{Compute(1, {0, 4}), Compute(2, {4, 5})}});
  queue.Next();
  const Step step =
      queue.Next(0, LeafDone{.status = absl::UnavailableError("no")});
  EXPECT_EQ(std::get<ComputeLeaf>(step).leaf, 4);
  queue.Wait(absl::Milliseconds(2));
  const auto sends = Of<Send>(queue.Tell(TimePassed{}));
  ASSERT_THAT(sends, SizeIs(1));
  const auto& failed = std::get<TaskFailed>(sends[0].reports[0]);
  EXPECT_EQ(failed.task, 1u);
  EXPECT_EQ(failed.status, absl::UnavailableError("no"));
}

TEST(TaskQueue, SaysWhichTokensAreMissing) {
  Queue queue;
  queue.Tell(Assigned{{Compute(1, {0, 4})}});
  queue.Next();
  queue.Next(0, LeafDone{.missing = {Id{0, 3}}});
  const auto sends = Of<Send>(queue.TakeSaid());
  ASSERT_THAT(sends, SizeIs(1));
  const auto& missing = std::get<InputMissing>(sends[0].reports[0]);
  EXPECT_EQ(missing.task, 1u);
  EXPECT_THAT(missing.tokens, ElementsAre(Id{0, 3}));
}

TEST(TaskQueue, FillsInWhatAWholeTaskWasAbout) {
  Queue queue;
  queue.Tell(Assigned{{{.id = 9,
                        .kind = TaskKind::kCombine,
                        .job = 1,
                        .run = {0, 2},
                        .inputs = {{{0, 1}, {"0"}}, {{1, 2}, {"1"}}}}}});
  const Step step = queue.Next();
  EXPECT_THAT(std::get<RunTask>(step).task.inputs, SizeIs(2));
  queue.Wait(absl::Milliseconds(3));
  queue.Next(0, WholeDone{Commit{.partial = {"(0 1)"}}});
  const auto commits = queue.TakeCommits();
  ASSERT_THAT(commits, SizeIs(1));
  EXPECT_EQ(commits[0].task, 9u);
  EXPECT_EQ(commits[0].run, (LeafRun{0, 2}));
  EXPECT_EQ(commits[0].busy, absl::Milliseconds(3));
}

TEST(TaskQueue, RefusesATaskThatItWasNotBriefedOn) {
  Queue queue;
  Task task = Compute(1, {0, 1});
  task.job = 2;
  queue.Tell(Assigned{{task}});
  EXPECT_TRUE(std::holds_alternative<Idle>(queue.Next()));
  const auto sends = Of<Send>(queue.TakeSaid());
  ASSERT_THAT(sends, SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<TaskFailed>(sends[0].reports[0]));
}

TEST(TaskQueue, SendsCommitsInBatchesWhileItIsBusyAndAtOnceWhenItIsNot) {
  Queue queue;
  Assigned assigned;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto leaf = static_cast<std::int64_t>(i);
    assigned.tasks.push_back(Compute(i + 1, {leaf, leaf + 1}));
  }
  queue.Tell(assigned);
  queue.Play();
  const auto sends = Of<Send>(queue.TakeSaid());
  ASSERT_THAT(sends, SizeIs(2));
  EXPECT_THAT(sends[0].reports, SizeIs(64));
  EXPECT_THAT(sends[1].reports, SizeIs(36));
}

TEST(TaskQueue, SendsAgainWhatWasNotAcknowledged) {
  Queue queue;
  queue.Tell(Assigned{{Compute(1, {0, 1})}});
  queue.Play();
  queue.Tell(Assigned{{Compute(2, {1, 2})}});
  queue.Play();
  EXPECT_THAT(queue.TakeCommits(), SizeIs(2));
  queue.Tell(Acknowledged{1});
  queue.Tell(Disconnected{});
  const auto said = queue.Tell(Joined{});
  EXPECT_THAT(Of<Forget>(said), SizeIs(1));
  const auto sends = Of<Send>(said);
  ASSERT_THAT(sends, SizeIs(1));
  EXPECT_EQ(sends[0].sequence, 2u);
  EXPECT_EQ(std::get<Commit>(sends[0].reports[0]).task, 2u);
}

TEST(TaskQueue, TellsANewCoordinatorAllThatItCommitted) {
  Queue queue;
  queue.Tell(Assigned{{Compute(1, {0, 1}), Compute(2, {1, 2})}});
  queue.Play();
  EXPECT_THAT(queue.TakeCommits(), SizeIs(2));
  queue.Tell(Acknowledged{100});
  queue.Tell(Disconnected{});
  EXPECT_THAT(Of<Send>(queue.Tell(Joined{})), SizeIs(0));
  queue.Tell(Disconnected{});
  const auto sends = Of<Send>(queue.Tell(Joined{.is_new_coordinator = true}));
  ASSERT_THAT(sends, SizeIs(1));
  ASSERT_THAT(sends[0].reports, SizeIs(2));
  const auto& commit = std::get<Commit>(sends[0].reports[1]);
  EXPECT_EQ(commit.run, (LeafRun{1, 2}));
  EXPECT_EQ(commit.task, 0u);  // the answer to nothing
  EXPECT_FALSE(commit.task_done);
}

TEST(TaskQueue, GoesOnWhileTheStreamIsBrokenAndDropsItsTasksWithTheNextOne) {
  Queue queue;
  queue.Tell(Assigned{{Compute(1, {0, 8}), Compute(2, {8, 16})}});
  queue.Next();
  EXPECT_THAT(Of<Interrupt>(queue.Tell(Disconnected{})), SizeIs(0));
  EXPECT_THAT(Of<Interrupt>(queue.Tell(Joined{})), SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<Idle>(queue.Next(0, LeafDone{})));
  EXPECT_EQ(queue.core().running_count(), 0);
}

}  // namespace
}  // namespace hearth::worker
