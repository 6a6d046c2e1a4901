// What happens when workers are lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "hearth/base/error.h"
#include "tests/unit/server_core/language.h"

namespace hearth::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::string MessageOf(Cluster& cluster, JobId job) {
  return std::string(cluster.core().FindJob(job)->status.message());
}

TEST(Loss, GivesWhatAWorkerHadToAnotherOne) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  const JobId job = cluster.SubmitPlanned({.leaf_count = 1});
  EXPECT_THAT(cluster.TakeTasks(), SizeIs(1));
  const WorkerId w2 = cluster.Join();
  EXPECT_THAT(cluster.TakeTasks(), IsEmpty());
  cluster.Lose(w1);
  const auto tasks = cluster.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(1));
  EXPECT_EQ(tasks[0].first, w2);
  cluster.CommitTask(w2, tasks[0].second);
  EXPECT_TRUE(cluster.Finish(job));
  EXPECT_EQ(cluster.core().FindJob(job)->retries, 1);
}

TEST(Loss, FailsAJobAfterThreeAttemptsWithTheStoryOfEach) {
  Cluster cluster;
  const JobId job =
      cluster
          .Submit({.operation = "sum",
                   .matrix = FileMatrix("/data/big.npy"),
                   .replay = "hearth run sum /data/big.npy --leaves {leaves}"})
          .job;
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const WorkerId worker = cluster.Join();
    for (const auto& [planner, task] : cluster.TakeTasks()) {
      if (task.kind != TaskKind::kPlan) continue;
      cluster.TellReport(planner, PlanReady{task.id, job, {.leaf_count = 1}});
    }
    cluster.Lose(worker);
    if (attempt < 3) cluster.TellStory(worker, "killed by signal 9, OOM");
  }
  // The last one's story is still to come.
  EXPECT_EQ(cluster.core().FindJob(job)->state, JobState::kRunning);
  cluster.Wait(absl::Seconds(1));
  cluster.TellStory(WorkerId{3}, "killed by signal 11; log: \"bad page\"");
  ASSERT_EQ(cluster.core().FindJob(job)->state, JobState::kFailed);
  EXPECT_EQ(ReasonOf(cluster.core().FindJob(job)->status), Reason::kTaskFailed);
  const std::string message = MessageOf(cluster, job);
  EXPECT_THAT(message, HasSubstr("run sum on \"/data/big.npy\": leaves [0, 1) "
                                 "failed 3 times."));
  EXPECT_THAT(message, HasSubstr("Attempt 1, worker w1 (pid 1001 on a): lost: "
                                 "killed by signal 9, OOM."));
  EXPECT_THAT(message, HasSubstr("Attempt 3, worker w3"));
  EXPECT_THAT(message, HasSubstr("bad page"));
  EXPECT_THAT(message, HasSubstr("hearth run sum /data/big.npy --leaves 0:1"));
}

TEST(Loss, WaitsNoLongerThanTwoSecondsForAStory) {
  Cluster cluster;
  const JobId job = cluster.Submit();
  for (int attempt = 0; attempt < 3; ++attempt) cluster.Lose(cluster.Join());
  cluster.PassTime(absl::Milliseconds(1900));
  EXPECT_EQ(cluster.core().FindJob(job)->state, JobState::kPlanning);
  cluster.PassTime(absl::Milliseconds(100));
  EXPECT_EQ(cluster.core().FindJob(job)->state, JobState::kFailed);
  EXPECT_THAT(MessageOf(cluster, job), HasSubstr("lost: stream broke"));
}

TEST(Loss, CountsNoAttemptForATaskThatOnlyWaited) {
  Cluster cluster;
  const JobId job = cluster.SubmitPlanned({.leaf_count = 2});
  for (int times = 0; times < 5; ++times) {
    const WorkerId worker = cluster.Join();
    for (const auto& [planner, task] : cluster.TakeTasks()) {
      if (task.kind == TaskKind::kPlan) {
        cluster.TellReport(planner, PlanReady{task.id, job, {.leaf_count = 2}});
      }
    }
    // Of two tasks it runs one; that one is done by the time it is lost.
    const auto tasks = cluster.TakeTasks();
    if (times == 0) cluster.CommitTask(worker, tasks.at(0).second);
    if (times > 0) break;
    cluster.Lose(worker);
  }
  EXPECT_EQ(cluster.core().FindJob(job)->state, JobState::kRunning);
}

TEST(Loss, RunsTheThirdAttemptWithNothingBesideIt) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join(2);
  const JobId bad = cluster.SubmitPlanned({.leaf_count = 1});
  auto tasks = cluster.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(1));
  const auto fail = [&](const Task& task) {
    cluster.TellReport(
        w1, TaskFailed{task.id, bad, 0, absl::UnavailableError("try again")});
  };
  fail(tasks[0].second);
  tasks = cluster.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(1));
  const JobId good = cluster.SubmitPlanned({.leaf_count = 2});
  const auto good_tasks = cluster.TakeTasks();
  ASSERT_THAT(good_tasks, SizeIs(1));  // nothing waits beside a second attempt
  fail(tasks[0].second);
  EXPECT_THAT(cluster.TakeTasks(), IsEmpty());  // it empties
  cluster.CommitTask(w1, good_tasks[0].second);
  tasks = cluster.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(1));
  EXPECT_EQ(tasks[0].second.job, bad);
  fail(tasks[0].second);
  EXPECT_EQ(cluster.core().FindJob(bad)->state, JobState::kFailed);
  EXPECT_TRUE(cluster.Finish(good));
}

TEST(Loss, DropsWhatTheDeadMadeAndNobodyHeardOf) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join(2);
  cluster.SubmitPlanned({.leaf_count = 2});
  const auto tasks = cluster.TakeTasks();
  cluster.CommitTask(w1, tasks[0].second, Token(1));
  cluster.Lose(w1);
  cluster.Tell(PutMatrix{1, MemoryMatrix("m", 3)});
  cluster.Tell(TokensLeft{"a", {Token(1).token, Token(2).token, Id{0, 3}}});
  EXPECT_THAT(cluster.TakeDropped(), ElementsAre(Token(2).token));
}

TEST(Loss, AsksOtherHostsForAFileThatOneDoesNotSee) {
  Cluster cluster;
  const WorkerId w1 = cluster.JoinAt("a");
  const WorkerId w2 = cluster.JoinAt("b");
  const JobId job = cluster.SubmitPlanned({.leaf_count = 8});
  const auto missing = [&](WorkerId worker, const Task& task) {
    cluster.TellReport(worker, TaskFailed{.task = task.id,
                                          .job = job,
                                          .round = 0,
                                          .status = Error(Reason::kFileMissing,
                                                          "no such file")});
  };
  for (const auto& [worker, task] : cluster.TakeTasks()) {
    if (worker == w2) missing(w2, task);
  }
  EXPECT_EQ(cluster.core().FindJob(job)->state, JobState::kRunning);
  for (const auto& [worker, task] : cluster.TakeTasks()) EXPECT_EQ(worker, w1);
  // The one that saw it is lost: the other says again that it does not.
  cluster.Lose(w1);
  const auto tasks = cluster.TakeTasks();
  ASSERT_FALSE(tasks.empty());
  missing(w2, tasks[0].second);
  EXPECT_EQ(ReasonOf(cluster.core().FindJob(job)->status),
            Reason::kFileMissing);
}

TEST(Loss, LetsAnotherWorkerInForOneThatSeesNoFile) {
  Cluster cluster;
  const WorkerId w1 = cluster.JoinAt("a");
  const WorkerId w2 = cluster.JoinAt("b");
  const JobId job =
      cluster
          .Submit(
              {.operation = "sum", .matrix = FileMatrix(), .max_workers = 1})
          .job;
  std::set<WorkerId> asked;
  for (auto tasks = cluster.TakeTasks(); !tasks.empty();
       tasks = cluster.TakeTasks()) {
    for (const auto& [worker, task] : tasks) {
      asked.insert(worker);
      if (asked.size() == 1) {  // whoever is first
        cluster.TellReport(
            worker,
            TaskFailed{.task = task.id,
                       .job = job,
                       .round = 0,
                       .status = Error(Reason::kFileMissing, "no such file")});
      } else if (task.kind == TaskKind::kPlan) {
        cluster.TellReport(worker, PlanReady{task.id, job, {.leaf_count = 8}});
      } else if (task.kind == TaskKind::kFinish) {
        cluster.TellReport(
            worker,
            FinishDone{.task = task.id, .job = job, .results = {{"r"}}});
      } else {
        cluster.CommitTask(worker, task);
      }
    }
  }
  EXPECT_EQ(asked, (std::set<WorkerId>{w1, w2}));
  EXPECT_EQ(cluster.core().FindJob(job)->state, JobState::kDone);
}

// A result that is written where the plan was made can be gathered nowhere
// else: jobs waited for ever for a host that they had shut out.
TEST(Loss, OfAFileWhereTheResultLiesEndsTheJob) {
  Cluster cluster;
  cluster.JoinAt("a");
  cluster.JoinAt("b");
  const JobId job = cluster.SubmitPlanned({.leaf_count = 4,
                                           .concatenates = true,
                                           .result_bytes = 4096,
                                           .result = Token(1)});
  const std::string home = cluster.core().FindJob(job)->plan->result.host;
  for (const auto& [worker, task] : cluster.TakeTasks()) {
    if (cluster.core().members().Find(worker)->identity.host != home) continue;
    cluster.TellReport(
        worker, TaskFailed{task.id, job, 0,
                           Error(Reason::kFileMissing, "compute: it is gone")});
    break;
  }
  const auto record = cluster.core().FindJob(job);
  EXPECT_EQ(record->state, JobState::kFailed);
  EXPECT_EQ(ReasonOf(record->status), Reason::kFileMissing);
}

// The seat of a worker that died was taken at another host, and nobody was let
// in any more where the rows are gathered.
TEST(Loss, LeavesAFreeSeatToAWorkerWhereTheResultLies) {
  Cluster cluster;
  std::uint64_t joined = 0;
  const auto join = [&](const std::string& host) {
    const Id incarnation{2, ++joined};
    cluster.Tell(WorkerJoined{0,
                              {.host = host,
                               .slot = absl::StrCat(joined),
                               .incarnation = incarnation,
                               .thread_count = 1,
                               .neighbourhood = "one machine"},
                              kRoomy});
    return cluster.Take<Welcome>().back().worker;
  };
  const WorkerId a1 = join("a");
  cluster.SubmitPlanned(
      {.leaf_count = 4,
       .concatenates = true,
       .result_bytes = 4096,
       .result = Token(1)},
      {.operation = "sum", .matrix = MemoryMatrix("m", 5), .max_workers = 1});
  cluster.TakeTasks();
  join("b");
  const WorkerId a2 = join("a");
  EXPECT_THAT(cluster.TakeTasks(), IsEmpty());
  cluster.Lose(a1);
  const auto tasks = cluster.TakeTasks();
  ASSERT_THAT(tasks, Not(IsEmpty()));
  for (const auto& [worker, task] : tasks) EXPECT_EQ(worker, a2);
}

TEST(Loss, EndsJobsWhenNobodyIsLeftForTenSeconds) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  const JobId job = cluster.SubmitPlanned({.leaf_count = 10});
  cluster.Lose(w1);
  cluster.TellStory(w1, "killed by signal 9");
  cluster.PassTime(absl::Seconds(1));
  cluster.PassTime(absl::Seconds(9));
  EXPECT_EQ(cluster.core().FindJob(job)->state, JobState::kRunning);
  cluster.PassTime(absl::Seconds(1));
  EXPECT_EQ(ReasonOf(cluster.core().FindJob(job)->status), Reason::kWorkerLost);
  EXPECT_THAT(MessageOf(cluster, job), HasSubstr("killed by signal 9"));
}

TEST(Loss, SaysSoWhenNobodyEverCame) {
  Cluster cluster;
  const JobId job = cluster.Submit();
  cluster.PassTime(absl::Seconds(1));
  cluster.PassTime(absl::Seconds(11));
  EXPECT_EQ(ReasonOf(cluster.core().FindJob(job)->status),
            Reason::kClusterEnded);
}

TEST(Loss, IsDeclaredWhenALeaseRunsOut) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  cluster.PassTime(absl::Seconds(4));
  cluster.Tell(Heartbeat{w1, 1});
  cluster.PassTime(absl::Seconds(4));
  EXPECT_EQ(cluster.core().members().ready_count(), 1);
  cluster.PassTime(absl::Seconds(1));
  EXPECT_EQ(cluster.core().members().ready_count(), 0);
  EXPECT_THAT(cluster.Take<Refuse>(), SizeIs(1));
}

TEST(Membership, KeepsTheIdOfAProcessThatComesBackAndNotOfANewOne) {
  Cluster cluster;
  const WorkerId first = cluster.Join(1, /*incarnation=*/5);
  EXPECT_EQ(cluster.Join(1, /*incarnation=*/5), first);
  EXPECT_EQ(cluster.core().members().Find(first)->epoch, 2u);
  EXPECT_NE(cluster.Join(1, /*incarnation=*/6), first);
}

TEST(Membership, RefusesWhatAnOlderEpochSays) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join(1, /*incarnation=*/5);
  cluster.SubmitPlanned({.leaf_count = 4});
  const auto tasks = cluster.TakeTasks();
  cluster.Join(1, /*incarnation=*/5);
  cluster.Tell(WorkerReported{w1,
                              1,
                              1,
                              {Commit{.task = tasks[0].second.id,
                                      .job = tasks[0].second.job,
                                      .run = tasks[0].second.run,
                                      .partial = {"p"}}}});
  EXPECT_EQ(cluster.core().FindJob(tasks[0].second.job)->leaves_done, 0);
  const auto refusals = cluster.Take<Refuse>();
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_EQ(refusals[0].epoch, 1u);
}

}  // namespace
}  // namespace hearth::server
