// The life of a job, as its workers and watchers see it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hearth/base/error.h"
#include "tests/unit/server_core/language.h"

namespace hearth::server {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

TEST(Jobs, ArePlannedComputedAndFinished) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  const JobId job = cluster.Submit();
  auto tasks = cluster.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(1));
  EXPECT_EQ(tasks[0].second.kind, TaskKind::kPlan);
  EXPECT_EQ(cluster.Take<Brief>()[0].plan, nullptr);

  cluster.TellReport(w1, PlanReady{tasks[0].second.id, job, {.leaf_count = 5}});
  const auto briefs = cluster.Take<Brief>();
  ASSERT_THAT(briefs, SizeIs(1));
  EXPECT_EQ(briefs[0].plan->leaf_count, 5);

  EXPECT_TRUE(cluster.Finish(job));
  const auto record = cluster.core().FindJob(job);
  EXPECT_THAT(record->results, ElementsAre(BytesRef{"result", {}, "a"}));
  EXPECT_EQ(record->leaves_done, 5);
  EXPECT_EQ(record->workers_used, 1);
  EXPECT_EQ(record->retries, 0);
  EXPECT_THAT(cluster.Take<ReleaseJob>(), SizeIs(1));
}

TEST(Jobs, FinishWithAnOrderedCoverOfAllLeaves) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join(2);
  cluster.SubmitPlanned({.leaf_count = 3});
  auto tasks = cluster.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(3));
  for (const int i : {2, 0, 1}) {
    const auto& task = tasks[static_cast<std::size_t>(i)].second;
    cluster.CommitTask(w1, task, {std::to_string(task.run.begin)});
  }
  tasks = cluster.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(1));
  EXPECT_EQ(tasks[0].second.kind, TaskKind::kFinish);
  EXPECT_EQ(tasks[0].second.run, (LeafRun{0, 3}));
  EXPECT_THAT(tasks[0].second.inputs,
              ElementsAre(RunInput{{0, 1}, {"0", {}, "a"}},
                          RunInput{{1, 2}, {"1", {}, "a"}},
                          RunInput{{2, 3}, {"2", {}, "a"}}));
}

TEST(Jobs, GoThroughRoundsWithTheStateThatFinishGave) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  const JobId job = cluster.SubmitPlanned({.leaf_count = 1});
  auto tasks = cluster.TakeTasks();
  cluster.CommitTask(w1, tasks[0].second);
  tasks = cluster.TakeTasks();
  cluster.Take<Brief>();
  cluster.TellReport(w1, FinishDone{.task = tasks[0].second.id,
                                    .job = job,
                                    .next_state = BytesRef{"halves"}});
  const auto briefs = cluster.Take<Brief>();
  ASSERT_THAT(briefs, SizeIs(1));
  EXPECT_EQ(briefs[0].round, 1);
  EXPECT_EQ(briefs[0].state.inline_bytes, "halves");
  EXPECT_EQ(cluster.core().FindJob(job)->leaves_done, 0);
  EXPECT_TRUE(cluster.Finish(job));
  EXPECT_EQ(cluster.core().FindJob(job)->round, 1);
}

TEST(Jobs, CombineLargePartialsAtWorkersAsSoonAsTwoSiblingsAreThere) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join(4);
  const JobId job = cluster.SubmitPlanned({.leaf_count = 4});
  auto tasks = cluster.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(4));
  cluster.CommitTask(w1, tasks[1].second, Token(1));
  EXPECT_THAT(cluster.TakeTasks(), IsEmpty());  // [0, 1) is not there yet
  cluster.CommitTask(w1, tasks[0].second, Token(0));
  const auto combines = cluster.TakeTasks();
  ASSERT_THAT(combines, SizeIs(1));
  const Task& combine = combines[0].second;
  EXPECT_EQ(combine.kind, TaskKind::kCombine);
  EXPECT_EQ(combine.run, (LeafRun{0, 2}));
  EXPECT_THAT(combine.inputs, SizeIs(2));

  EXPECT_THAT(cluster.TakeDropped(), IsEmpty());
  cluster.CommitTask(w1, combine, Token(10));
  EXPECT_THAT(cluster.TakeDropped(),
              UnorderedElementsAre(Token(0).token, Token(1).token));
  EXPECT_EQ(cluster.core().FindJob(job)->leaves_done, 2);
}

TEST(Jobs, DoNotCallItARetryWhenACombiningWasTakenOver) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join(4);
  const JobId job = cluster.SubmitPlanned({.leaf_count = 4});
  const auto tasks = cluster.TakeTasks();
  cluster.CommitTask(w1, tasks.at(0).second, Token(1));
  cluster.CommitTask(w1, tasks.at(1).second, Token(2));
  const auto combines = cluster.TakeTasks();
  ASSERT_THAT(combines, SizeIs(1));
  const Task& combine = combines[0].second;
  ASSERT_EQ(combine.kind, TaskKind::kCombine);
  const WorkerId w2 = cluster.Join();
  cluster.CommitTask(w2, combine, Token(10));  // sooner, and the inputs go
  cluster.TellReport(
      w1,
      InputMissing{.task = combine.id, .job = job, .tokens = {Token(1).token}});
  EXPECT_EQ(cluster.core().FindJob(job)->retries, 0);
  EXPECT_EQ(cluster.core().FindJob(job)->leaves_done, 2);
}

TEST(Jobs, TakeACommitOnceHoweverOftenItComes) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join(2);
  const JobId job = cluster.SubmitPlanned({.leaf_count = 2});
  const auto tasks = cluster.TakeTasks();
  cluster.CommitTask(w1, tasks[0].second, Token(1));
  cluster.CommitTask(w1, tasks[0].second, Token(1));  // sent again
  EXPECT_THAT(cluster.TakeDropped(), IsEmpty());
  cluster.CommitTask(w1, tasks[0].second, Token(2));  // computed again
  EXPECT_THAT(cluster.TakeDropped(), ElementsAre(Token(2).token));
  EXPECT_EQ(cluster.core().FindJob(job)->leaves_done, 1);
  EXPECT_EQ(cluster.core().live_token_count(), 1u);
}

TEST(Jobs, ComputeAgainWhatWentMissing) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join(2);
  const JobId job = cluster.SubmitPlanned({.leaf_count = 2});
  auto tasks = cluster.TakeTasks();
  cluster.CommitTask(w1, tasks[0].second, Token(1));
  cluster.CommitTask(w1, tasks[1].second, Token(2));
  tasks = cluster.TakeTasks();
  ASSERT_EQ(tasks.at(0).second.kind, TaskKind::kFinish);
  cluster.TellReport(w1, InputMissing{.task = tasks[0].second.id,
                                      .job = job,
                                      .tokens = {Token(2).token}});
  tasks = cluster.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(1));
  EXPECT_EQ(tasks[0].second.kind, TaskKind::kCompute);
  EXPECT_EQ(tasks[0].second.run, (LeafRun{1, 2}));
  cluster.CommitTask(w1, tasks[0].second, Token(3));
  EXPECT_TRUE(cluster.Finish(job));
}

TEST(Jobs, BeginAgainWhenTheStateOfARoundWentMissing) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  const JobId job = cluster.SubmitPlanned({.leaf_count = 1});
  auto tasks = cluster.TakeTasks();
  cluster.CommitTask(w1, tasks[0].second);
  tasks = cluster.TakeTasks();
  cluster.TellReport(
      w1, FinishDone{
              .task = tasks[0].second.id, .job = job, .next_state = Token(5)});
  tasks = cluster.TakeTasks();
  EXPECT_EQ(tasks[0].second.round, 1);
  cluster.TellReport(w1, InputMissing{.task = tasks[0].second.id,
                                      .job = job,
                                      .round = 1,
                                      .tokens = {Token(5).token}});
  EXPECT_EQ(cluster.core().FindJob(job)->round, 0);
  EXPECT_TRUE(cluster.Finish(job));
}

// It says that rows are in a segment that the job no longer has.
TEST(Jobs, TakeNoCommitOfAPlanBeforeTheirs) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join(2);
  const JobPlan plan{.leaf_count = 2,
                     .concatenates = true,
                     .result_bytes = 4096,
                     .result = Token(7)};
  const JobId job = cluster.SubmitPlanned(plan);
  const Task before = cluster.TakeTasks().at(0).second;
  cluster.TellReport(
      w1,
      InputMissing{.task = before.id, .job = job, .tokens = {Token(7).token}});
  auto tasks = cluster.TakeTasks();
  ASSERT_EQ(tasks.at(0).second.kind, TaskKind::kPlan);
  JobPlan anew = plan;
  anew.result = Token(8);
  cluster.TellReport(w1, PlanReady{tasks[0].second.id, job, anew});
  tasks = cluster.TakeTasks();
  cluster.TellReport(w1, Commit{.task = before.id,
                                .job = job,
                                .run = before.run,
                                .written_to = Token(7).token});
  EXPECT_EQ(cluster.core().FindJob(job)->leaves_done, 0);
  for (const auto& [worker, task] : tasks) {
    cluster.CommitTask(worker, task, {});
  }
  EXPECT_EQ(cluster.core().FindJob(job)->leaves_done, 2);
}

TEST(Jobs, WithoutPartialsAreSealedAtTheEnd) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  const JobId job = cluster.SubmitPlanned(
      {.leaf_count = 2, .concatenates = true, .result = Token(7)});
  auto tasks = cluster.TakeTasks();
  for (const auto& [worker, task] : tasks) cluster.CommitTask(w1, task, {});
  tasks = cluster.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(1));
  EXPECT_EQ(tasks[0].second.kind, TaskKind::kFinish);
  EXPECT_THAT(tasks[0].second.inputs, IsEmpty());
  cluster.TellReport(w1, FinishDone{.task = tasks[0].second.id, .job = job});
  EXPECT_THAT(cluster.core().FindJob(job)->results,
              ElementsAre(BytesRef{"", Token(7).token, "a"}));
  EXPECT_THAT(cluster.TakeDropped(), IsEmpty());
}

TEST(Jobs, EndAtOnceWithTheOneMessageOfARefusal) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join(2);
  const JobId job = cluster.SubmitPlanned({.leaf_count = 4});
  const auto tasks = cluster.TakeTasks();
  cluster.TellReport(
      w1, TaskFailed{tasks[0].second.id, job, 0,
                     Error(Reason::kFileChanged, "x.npy changed since")});
  const auto record = cluster.core().FindJob(job);
  EXPECT_EQ(record->state, JobState::kFailed);
  EXPECT_EQ(record->status, Error(Reason::kFileChanged, "x.npy changed since"));
  EXPECT_THAT(cluster.Take<ReleaseJob>(), SizeIs(1));
}

TEST(Jobs, StopEverywhereWhenTheyAreCancelled) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  cluster.Join();
  const JobId job = cluster.SubmitPlanned({.leaf_count = 100});
  const auto tasks = cluster.TakeTasks();
  cluster.CommitTask(w1, tasks[0].second, Token(1));
  cluster.Tell(CancelJob{1, job});
  EXPECT_EQ(cluster.core().FindJob(job)->state, JobState::kCancelled);
  EXPECT_THAT(cluster.Take<ReleaseJob>(), SizeIs(2));
  EXPECT_THAT(cluster.TakeDropped(), ElementsAre(Token(1).token));

  cluster.CommitTask(w1, tasks[1].second, Token(2));  // was on its way
  EXPECT_THAT(cluster.TakeDropped(), ElementsAre(Token(2).token));
  EXPECT_EQ(cluster.core().live_token_count(), 0u);
}

TEST(Jobs, AreTheSameJobForTheSameKey) {
  Cluster cluster;
  const JobSpec spec{.operation = "sum", .matrix = FileMatrix()};
  const JobId job = cluster.Submit(spec, "client-1/3").job;
  EXPECT_EQ(cluster.Submit(spec, "client-1/3").job, job);
  EXPECT_NE(cluster.Submit(spec, "client-1/4").job, job);
  EXPECT_EQ(cluster.core().FindJobByClientKey("client-1/3"), job);
}

TEST(Jobs, AreRefusedOnMatricesThatAreUnknownOrOpen) {
  Cluster cluster;
  const JobSpec spec{.operation = "sum", .matrix = "m"};
  EXPECT_EQ(ReasonOf(cluster.Submit(spec).status), Reason::kNameUnknown);
  MatrixRecord open = MemoryMatrix("m", 1);
  open.sealed = false;
  cluster.Tell(PutMatrix{1, open});
  EXPECT_EQ(ReasonOf(cluster.Submit(spec).status), Reason::kSegmentBusy);
  cluster.Tell(SealMatrix{2, "m"});
  EXPECT_TRUE(cluster.Submit(spec).status.ok());
}

TEST(Jobs, HoldARemovedMatrixUntilTheyEnd) {
  Cluster cluster;
  cluster.Join();
  cluster.Tell(PutMatrix{1, MemoryMatrix("m", 1)});
  const JobId job = cluster.Submit({.operation = "sum", .matrix = "m"}).job;
  cluster.Tell(RemoveMatrix{2, "m"});
  EXPECT_THAT(cluster.TakeDropped(), IsEmpty());
  cluster.Tell(CancelJob{3, job});
  EXPECT_THAT(cluster.TakeDropped(), ElementsAre(Id{0, 1}));
}

TEST(Jobs, LeaveAResultThatWasGivenANameToTheCatalog) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  const JobId job = cluster.SubmitPlanned(
      {.leaf_count = 1, .concatenates = true, .result = Token(4)});
  auto tasks = cluster.TakeTasks();
  cluster.CommitTask(w1, tasks[0].second, {});
  tasks = cluster.TakeTasks();
  cluster.TellReport(w1, FinishDone{.task = tasks[0].second.id, .job = job});
  MatrixRecord made = MemoryMatrix("made", 0);
  made.source = SegmentAt(Token(4).token, "a");
  cluster.Tell(PutMatrix{1, made});
  cluster.Tell(ForgetJob{job});
  cluster.Lose(w1);
  cluster.Tell(TokensLeft{"a", {Token(4).token}});
  EXPECT_THAT(cluster.TakeDropped(), IsEmpty());
  cluster.Tell(RemoveMatrix{2, "made"});
  EXPECT_THAT(cluster.TakeDropped(), ElementsAre(Token(4).token));
}

TEST(Jobs, FitTheirInputsIntoMessages) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join(8);
  cluster.SubmitPlanned({.leaf_count = 1024, .max_run_leaves = 1});
  const BytesRef partial{std::string(60'000, 'p')};
  for (int i = 0; i < 100; ++i) {
    for (const Assign& assign : cluster.Take<Assign>()) {
      std::size_t bytes = 0;
      for (const Task& task : assign.tasks) {
        for (const RunInput& input : task.inputs) {
          bytes += input.partial.inline_bytes.size();
        }
      }
      EXPECT_LT(bytes, 2u << 20);
      for (const Task& task : assign.tasks) {
        cluster.CommitTask(w1, task, partial);
      }
    }
  }
}

TEST(Jobs, AreKeptAfterTheirEndByCountAndBytes) {
  CoordinatorOptions options;
  options.ended_jobs_max = 2;
  Cluster cluster(options);
  const JobId first = cluster.Submit();
  const JobId second = cluster.Submit();
  const JobId third = cluster.Submit();
  for (const JobId job : {first, second, third}) {
    cluster.Tell(CancelJob{1, job});
  }
  cluster.PassTime(options.ended_fresh);
  EXPECT_FALSE(cluster.core().FindJob(first).has_value());
  EXPECT_TRUE(cluster.core().FindJob(third).has_value());
  EXPECT_THAT(cluster.Take<JobEvicted>(), SizeIs(1));
}

// Two large results in one batch: the first was dropped before anybody could
// fetch it, and its record with it.
TEST(Jobs, KeepLargeResultsUntilTheirClientsHadTimeToComeForThem) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join(4);
  const JobPlan plan{.leaf_count = 1, .result_bytes = 72'000'000};
  const JobId first = cluster.SubmitPlanned(plan);
  const JobId second = cluster.SubmitPlanned(plan);
  std::vector<Report> reports;
  while (reports.size() < 2) {
    const auto tasks = cluster.TakeTasks();
    ASSERT_THAT(tasks, Not(IsEmpty()));
    for (const auto& [worker, task] : tasks) {
      if (task.kind != TaskKind::kFinish) {
        cluster.CommitTask(worker, task);
        continue;
      }
      reports.push_back(FinishDone{.task = task.id,
                                   .job = task.job,
                                   .results = {Token(NumberOf(task.job))}});
    }
  }
  cluster.Tell(WorkerReported{w1, cluster.core().members().Find(w1)->epoch, 999,
                              std::move(reports)});
  EXPECT_TRUE(cluster.core().FindJob(first).has_value());
  EXPECT_TRUE(cluster.core().FindJob(second).has_value());
  cluster.PassTime(CoordinatorOptions().ended_fresh - absl::Milliseconds(1));
  EXPECT_THAT(cluster.TakeDropped(), IsEmpty());
  cluster.PassTime(absl::Milliseconds(1));
  EXPECT_THAT(cluster.TakeDropped(), ElementsAre(Token(NumberOf(first)).token));
  EXPECT_TRUE(cluster.core().FindJob(second).has_value());
}

// A host that has no memory left is worse than a result that was not fetched.
TEST(Jobs, LetGoOfLargeResultsEarlyWhereMemoryIsShort) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  cluster.Tell(Heartbeat{w1, cluster.core().members().Find(w1)->epoch,
                         200'000'000, false});
  std::vector<JobId> jobs;
  for (const std::uint64_t number : {1, 2}) {
    jobs.push_back(
        cluster.SubmitPlanned({.leaf_count = 1, .result_bytes = 72'000'000}));
    cluster.CommitTask(w1, cluster.TakeTasks()[0].second);
    cluster.TellReport(w1, FinishDone{.task = cluster.TakeTasks()[0].second.id,
                                      .job = jobs.back(),
                                      .results = {Token(number)}});
  }
  EXPECT_THAT(cluster.TakeDropped(), ElementsAre(Token(1).token));
  EXPECT_TRUE(cluster.core().FindJob(jobs[1]).has_value());
}

TEST(Jobs, LetGoOfTheirResultsWhenForgotten) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  const JobId job = cluster.SubmitPlanned({.leaf_count = 1});
  auto tasks = cluster.TakeTasks();
  cluster.CommitTask(w1, tasks[0].second);
  tasks = cluster.TakeTasks();
  cluster.TellReport(
      w1, FinishDone{
              .task = tasks[0].second.id, .job = job, .results = {Token(4)}});
  EXPECT_THAT(cluster.TakeDropped(), IsEmpty());
  cluster.Tell(ForgetJob{job});
  EXPECT_THAT(cluster.TakeDropped(), ElementsAre(Token(4).token));
  EXPECT_EQ(cluster.core().FindJob(job), std::nullopt);
}

TEST(Jobs, BelieveNoRunThatTheirTreeHasNot) {
  Cluster cluster;
  const WorkerId w1 = cluster.Join();
  const JobId job = cluster.SubmitPlanned({.leaf_count = 8});
  const auto tasks = cluster.TakeTasks();
  Task bad = tasks[0].second;
  for (const LeafRun run : {LeafRun{1, 3}, LeafRun{0, 9}, LeafRun{-1, 0},
                            LeafRun{3, 3}, LeafRun{6, 2}}) {
    bad.run = run;
    cluster.CommitTask(w1, bad, Token(1));
    EXPECT_THAT(cluster.TakeDropped(), Contains(Token(1).token));
    EXPECT_EQ(cluster.core().FindJob(job)->leaves_done, 0);
  }
}

}  // namespace
}  // namespace hearth::server
