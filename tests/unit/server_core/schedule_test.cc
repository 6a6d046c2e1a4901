// Which worker gets what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/unit/server_core/language.h"

namespace hearth::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Schedule, GivesEveryThreadATaskAndOneToWait) {
  Cluster cluster;
  cluster.Join(2);
  cluster.Join(2);
  cluster.SubmitPlanned({.leaf_count = 1000});
  std::map<WorkerId, int> counts;
  for (const auto& [worker, task] : cluster.TakeTasks()) ++counts[worker];
  EXPECT_THAT(counts, SizeIs(2));
  for (const auto& [worker, count] : counts) EXPECT_EQ(count, 3);
}

TEST(Schedule, BeginsWithLargeRunsAndEndsWithSmallOnes) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  cluster.SubmitPlanned({.leaf_count = 1024});
  std::vector<std::int64_t> lengths;
  while (true) {
    const auto tasks = cluster.TakeTasks();
    if (tasks.empty() || tasks[0].second.kind == TaskKind::kFinish) break;
    for (const auto& [worker, task] : tasks) {
      lengths.push_back(task.run.leaf_count());
      cluster.CommitTask(w1, task);
    }
  }
  EXPECT_EQ(lengths.front(), 256);
  EXPECT_TRUE(std::is_sorted(lengths.rbegin(), lengths.rend()));
  EXPECT_LE(lengths.back(), 4);  // ms, at a leaf each
}

TEST(Schedule, LetsEveryWorkerReadAPartOfAFileFromFrontToBack) {
  Cluster cluster;
  for (int i = 0; i < 4; ++i) cluster.Join();
  cluster.SubmitPlanned({.leaf_count = 1024});
  std::map<WorkerId, std::int64_t> places;
  int jumps = 0;
  for (auto tasks = cluster.TakeTasks(); !tasks.empty();
       tasks = cluster.TakeTasks()) {
    for (const auto& [worker, task] : tasks) {
      if (task.kind != TaskKind::kCompute) continue;
      const auto [place, first] = places.try_emplace(worker, -1);
      if (place->second != task.run.begin) ++jumps;
      place->second = task.run.end;
    }
    for (const auto& [worker, task] : tasks) cluster.CommitTask(worker, task);
  }
  EXPECT_THAT(places, SizeIs(4));
  // Each to its part, and a few to help in the end.
  EXPECT_LE(jumps, 20);
}

TEST(Schedule, KeepsRunsWithinWhatThePlanSays) {
  Cluster cluster;
  cluster.Join(4);
  cluster.SubmitPlanned(
      {.leaf_count = 1000, .min_run_leaves = 2, .max_run_leaves = 4});
  for (const auto& [worker, task] : cluster.TakeTasks()) {
    EXPECT_EQ(task.run.leaf_count(), 4);
  }
}

TEST(Schedule, LetsTinyTasksWaitByTheThousand) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  const JobId job =
      cluster.SubmitPlanned({.leaf_count = 100'000, .max_run_leaves = 1});
  const auto tasks = cluster.TakeTasks();
  cluster.TellReport(w1, Commit{.task = tasks[0].second.id,
                                .job = job,
                                .run = tasks[0].second.run,
                                .busy = absl::Nanoseconds(100)});
  EXPECT_THAT(cluster.TakeTasks(), SizeIs(1024));
}

TEST(Schedule, TakesOverWhatWaitsElsewhere) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  cluster.SubmitPlanned({.leaf_count = 2});
  const auto first = cluster.TakeTasks();
  ASSERT_THAT(first, SizeIs(2));
  const WorkerId w2 = cluster.Join();
  const auto revokes = cluster.Take<Revoke>();
  ASSERT_THAT(revokes, SizeIs(1));
  EXPECT_EQ(revokes[0].worker, w1);
  EXPECT_THAT(revokes[0].tasks, ElementsAre(first[1].second.id));
  const auto second = cluster.TakeTasks();
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_EQ(second[0].first, w2);
  EXPECT_EQ(second[0].second.run, first[1].second.run);
}

TEST(Schedule, GivesTheRightHalfOfALongTaskToAnIdleWorker) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  // One thread: 64 leaves are given out as 16, 8, ...; all but the first are
  // committed, and that one runs on.
  const JobId job = cluster.SubmitPlanned({.leaf_count = 64});
  auto tasks = cluster.TakeTasks();
  const Task longest = tasks[0].second;
  ASSERT_EQ(longest.run, (LeafRun{0, 16}));
  tasks.erase(tasks.begin());
  while (!tasks.empty()) {
    for (const auto& [worker, task] : tasks) cluster.CommitTask(w1, task);
    tasks = cluster.TakeTasks();
  }
  EXPECT_EQ(cluster.core().FindJob(job)->leaves_done, 48);
  cluster.Take<Shrink>();

  const WorkerId w2 = cluster.Join();
  const auto shrinks = cluster.Take<Shrink>();
  ASSERT_THAT(shrinks, SizeIs(1));
  EXPECT_EQ(shrinks[0].task, longest.id);
  EXPECT_EQ(shrinks[0].new_end, 8);
  tasks = cluster.TakeTasks();
  ASSERT_FALSE(tasks.empty());
  EXPECT_EQ(tasks[0].first, w2);
  EXPECT_EQ(tasks[0].second.run.begin, 8);

  // It was past that, and commits everything: no leaf counts twice.
  cluster.CommitTask(w1, longest);
  EXPECT_EQ(cluster.core().FindJob(job)->leaves_done, 64);
  EXPECT_TRUE(cluster.Finish(job));
}

TEST(Schedule, UsesNoMoreWorkersThanAJobAllows) {
  Cluster cluster;
  for (int i = 0; i < 4; ++i) cluster.Join();
  const JobId job = cluster.SubmitPlanned(
      {.leaf_count = 100'000},
      {.operation = "sum", .matrix = FileMatrix(), .max_workers = 2});
  std::set<WorkerId> workers;
  for (int i = 0; i < 5; ++i) {
    for (const auto& [worker, task] : cluster.TakeTasks()) {
      workers.insert(worker);
      cluster.CommitTask(worker, task);
    }
  }
  EXPECT_THAT(workers, SizeIs(2));
  EXPECT_EQ(cluster.core().FindJob(job)->workers_used, 2);
  // Another one may come in for one that is lost.
  cluster.Lose(*workers.begin());
  bool has_new = false;
  for (const auto& [worker, task] : cluster.TakeTasks()) {
    has_new = has_new || !workers.contains(worker);
  }
  EXPECT_TRUE(has_new);
}

TEST(Schedule, LetsJobsTakeTurns) {
  Cluster cluster;
  cluster.Join(4);
  const JobId first = cluster.SubmitPlanned({.leaf_count = 1000});
  auto tasks = cluster.TakeTasks();
  const JobId second = cluster.SubmitPlanned({.leaf_count = 1000});
  for (const auto& [worker, task] : tasks) {
    if (task.job == first) cluster.CommitTask(worker, task);
  }
  std::map<JobId, int> counts;
  for (const auto& [worker, task] : cluster.TakeTasks()) ++counts[task.job];
  EXPECT_GT(counts[first], 0);
  EXPECT_GT(counts[second], 0);
}

TEST(Schedule, GivesADrainingWorkerNothingNew) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  cluster.Join();
  cluster.SubmitPlanned({.leaf_count = 100});
  const auto tasks = cluster.TakeTasks();
  cluster.Tell(DrainWorker{1, w1});
  for (const auto& [worker, task] : tasks) cluster.CommitTask(worker, task);
  for (const auto& [worker, task] : cluster.TakeTasks()) {
    EXPECT_NE(worker, w1);
  }
}

TEST(Schedule, PrefersTheHostThatHasTheBytes) {
  Cluster cluster;
  cluster.Join();  // on host "a"
  const WorkerId near = cluster.JoinAt("b");
  cluster.Tell(PutMatrix{1, MemoryMatrix("m", 1, "b")});
  cluster.Submit({.operation = "sum", .matrix = "m"});
  const auto tasks = cluster.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(1));
  EXPECT_EQ(tasks[0].first, near);
}

TEST(Schedule, KeepsAMillionLeavesAsAFewRuns) {
  Cluster cluster;
  cluster.Join(8);
  const JobId job = cluster.SubmitPlanned({.leaf_count = 1'000'000});
  std::size_t count = 0;
  while (cluster.core().FindJob(job)->state == JobState::kRunning) {
    for (const auto& [worker, task] : cluster.TakeTasks()) {
      ++count;
      cluster.CommitTask(worker, task);
    }
    if (cluster.core().FindJob(job)->leaves_done == 1'000'000) break;
  }
  EXPECT_LT(count, 1000u);
}

}  // namespace
}  // namespace hearth::server
