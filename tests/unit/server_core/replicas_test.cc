// Segments on several hosts: how they get there, and what is left of them when
// hosts go.
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
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

const absl::Duration kGrace = CoordinatorOptions().host_grace;

class Replicas : public ::testing::Test {
 protected:
  Replicas()
      : a_(cluster_.JoinAt("a")),
        b_(cluster_.JoinAt("b")),
        c_(cluster_.JoinAt("c")) {}

  std::vector<Answer> Put(int replicas, std::uint64_t token = 1) {
    cluster_.Tell(PutMatrix{
        .call = 5, .record = MemoryMatrix("m", token), .replicas = replicas});
    return cluster_.Take<Answer>();
  }
  // Every copy that was asked for ends well, under tokens of its own.
  void Copy() {
    for (const CopySegment& copy : cluster_.Take<CopySegment>()) {
      cluster_.TellReport(
          copy.worker,
          SegmentCopied{.order = copy.order, .token = Id{7, ++copies_}});
    }
  }
  std::vector<std::string> HostsOf(const std::string& name) {
    std::vector<std::string> hosts;
    const MatrixPtr matrix = *cluster_.core().catalog().Get(name);
    for (const Replica& one :
         std::get<SegmentSource>(matrix->source).replicas) {
      hosts.push_back(one.host);
    }
    return hosts;
  }
  // Everybody who is there says so.
  void Pass(absl::Duration time) {
    for (; time > absl::ZeroDuration(); time -= absl::Seconds(1)) {
      for (const WorkerRecord& one : cluster_.core().members().List()) {
        if (one.state == WorkerState::kLost) continue;
        const auto free = free_.find(one.identity.host);
        cluster_.Tell(Heartbeat{one.id, one.epoch,
                                free == free_.end() ? kRoomy : free->second});
      }
      cluster_.PassTime(std::min(time, absl::Seconds(1)));
    }
  }
  void LoseHost(WorkerId worker) {
    cluster_.Lose(worker);
    Pass(kGrace);
  }
  void SetFree(const std::string& host, std::int64_t bytes) {
    free_[host] = bytes;
    Pass(absl::Milliseconds(1));
  }
  std::vector<Answer> Drain(WorkerId worker) {
    cluster_.Tell(DrainWorker{8, worker});
    return cluster_.Take<Answer>();
  }

  Cluster cluster_;
  WorkerId a_, b_, c_;
  std::uint64_t copies_ = 0;
  std::map<std::string, std::int64_t> free_;
};

TEST_F(Replicas, AreAllThereBeforeAPutIsAnswered) {
  EXPECT_THAT(Put(3), IsEmpty());
  EXPECT_THAT(cluster_.core().catalog().List(), IsEmpty());
  Copy();
  const auto answers = cluster_.Take<Answer>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_TRUE(answers[0].status.ok()) << answers[0].status;
  EXPECT_EQ(answers[0].call, 5);
  EXPECT_THAT(HostsOf("m"), UnorderedElementsAre("a", "b", "c"));
  EXPECT_EQ(cluster_.core().live_token_count(), 0);
}

TEST_F(Replicas, NeedAsManyHosts) {
  const auto answers = Put(4);
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(ReasonOf(answers[0].status), Reason::kOutOfMemory);
  EXPECT_THAT(std::string(answers[0].status.message()),
              HasSubstr("put \"m\": 4 replicas need 4 hosts; 3 are ready"));
}

TEST_F(Replicas, GoWhereTheMostMemoryIs) {
  SetFree("b", kRoomy - 1);
  Put(2);
  const auto copies = cluster_.Take<CopySegment>();
  ASSERT_THAT(copies, SizeIs(1));
  EXPECT_EQ(copies[0].worker, c_);
}

TEST_F(Replicas, LeaveNothingBehindWhereOneCanNotBeMade) {
  Put(3);
  const auto copies = cluster_.Take<CopySegment>();
  ASSERT_THAT(copies, SizeIs(2));
  cluster_.TellReport(copies[0].worker,
                      SegmentCopied{.order = copies[0].order, .token = {7, 1}});
  cluster_.TellReport(copies[1].worker,
                      SegmentCopied{.order = copies[1].order,
                                    .status = Error(Reason::kOutOfMemory,
                                                    "no room after all")});
  const auto answers = cluster_.Take<Answer>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_FALSE(answers[0].status.ok());
  EXPECT_THAT(cluster_.TakeDropped(), UnorderedElementsAre(Id{0, 1}, Id{7, 1}));
  EXPECT_THAT(cluster_.core().catalog().List(), IsEmpty());
  EXPECT_EQ(cluster_.core().live_token_count(), 0);
}

TEST_F(Replicas, AreFetchedByAnotherWorkerWhereOneIsLost) {
  const WorkerId other = cluster_.JoinAt("b");
  SetFree("c", 0);
  Put(2);
  const auto first = cluster_.Take<CopySegment>();
  ASSERT_THAT(first, SizeIs(1));
  cluster_.Lose(first[0].worker);
  const auto second = cluster_.Take<CopySegment>();
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_EQ(second[0].worker, first[0].worker == b_ ? other : b_);
  // A report of the first one that was under way is of no use any more.
  cluster_.TellReport(second[0].worker,
                      SegmentCopied{.order = first[0].order, .token = {7, 9}});
  EXPECT_THAT(cluster_.TakeDropped(), ElementsAre(Id{7, 9}));
}

TEST_F(Replicas, AreMadeUpForWhenAHostIsLost) {
  Put(2);
  Copy();
  const std::vector<std::string> before = HostsOf("m");
  ASSERT_THAT(before, SizeIs(2));
  const WorkerId lost = before[1] == "b" ? b_ : c_;
  cluster_.Lose(lost);
  Pass(kGrace - absl::Seconds(1));
  EXPECT_EQ(HostsOf("m"), before) << "it may come back";
  Pass(absl::Seconds(1));
  EXPECT_THAT(HostsOf("m"), ElementsAre("a"));
  Copy();
  EXPECT_THAT(HostsOf("m"), ElementsAre("a", before[1] == "b" ? "c" : "b"));
}

TEST_F(Replicas, OfAHostThatComesBackAreCountedAgainOrDropped) {
  SetFree("c", 0);
  Put(2);
  Copy();
  ASSERT_THAT(HostsOf("m"), ElementsAre("a", "b"));
  LoseHost(b_);
  ASSERT_THAT(HostsOf("m"), ElementsAre("a"));
  EXPECT_THAT(cluster_.Take<CopySegment>(), IsEmpty()) << "c has no room";
  b_ = cluster_.JoinAt("b");
  EXPECT_THAT(HostsOf("m"), ElementsAre("a", "b"));

  LoseHost(b_);
  cluster_.Tell(RemoveMatrix{2, "m"});
  cluster_.TakeDropped();
  cluster_.JoinAt("b");
  EXPECT_THAT(cluster_.TakeDropped(), ElementsAre(Id{7, 1}));
}

TEST_F(Replicas, ThatAreAllLostFailJobsWithTheRows) {
  Put(1);
  const JobId job = cluster_.Submit({.operation = "sum", .matrix = "m"}).job;
  cluster_.Lose(a_, "its connection broke");
  EXPECT_EQ(cluster_.core().FindJob(job)->state, JobState::kPlanning);
  Pass(kGrace);
  const auto record = cluster_.core().FindJob(job);
  ASSERT_EQ(record->state, JobState::kFailed);
  EXPECT_EQ(ReasonOf(record->status), Reason::kSegmentGone);
  EXPECT_THAT(std::string(record->status.message()),
              HasSubstr("rows 0:1000 of \"m\" were only on the host of w1, "
                        "which was lost (its connection broke); put it again"));
  EXPECT_EQ(
      ReasonOf(cluster_.Submit({.operation = "sum", .matrix = "m"}).status),
      Reason::kSegmentGone);
  a_ = cluster_.JoinAt("a");
  EXPECT_TRUE(cluster_.Submit({.operation = "sum", .matrix = "m"}).status.ok());
}

TEST_F(Replicas, AtAHostThatNeverCameAreLostAfterAWhile) {
  cluster_.Tell(PutMatrix{.call = 5, .record = MemoryMatrix("m", 1, "gone")});
  const JobId job = cluster_.Submit({.operation = "sum", .matrix = "m"}).job;
  Pass(kGrace + absl::Seconds(2));
  EXPECT_EQ(cluster_.core().FindJob(job)->state, JobState::kFailed);
}

TEST_F(Replicas, AreNearForTheWorkersOfAllTheirHosts) {
  Put(2);
  Copy();
  const MatrixPtr matrix = *cluster_.core().catalog().Get("m");
  EXPECT_THAT(
      cluster_.core().WorkersNear(std::get_if<SegmentSource>(&matrix->source)),
      SizeIs(2));
}

TEST_F(Replicas, OfARunningJobAreToldAsTheyChange) {
  Put(1);
  cluster_.Submit({.operation = "sum", .matrix = "m"});
  cluster_.Take<Brief>();
  cluster_.TakeTasks();
  Drain(a_);
  Pass(CoordinatorOptions().drain_wait);
  Copy();
  const auto briefs = cluster_.Take<Brief>();
  ASSERT_FALSE(briefs.empty());
  const auto& source =
      std::get<SegmentSource>(briefs.back().order->matrix->source);
  EXPECT_EQ(source.token, (Id{0, 1}));
  ASSERT_THAT(source.replicas, SizeIs(1));
  EXPECT_NE(source.replicas[0].host, "a");
}

// They serve it at other addresses than those who died.
TEST_F(Replicas, OfARunningJobAreToldAgainAsWorkersComeAndGo) {
  cluster_.JoinAt("a");
  Put(1);
  cluster_.SubmitPlanned({.leaf_count = 100},
                         {.operation = "sum", .matrix = "m"});
  cluster_.Take<Brief>();
  cluster_.Lose(a_);  // another is there still
  cluster_.PassTime(absl::Milliseconds(100));
  EXPECT_THAT(cluster_.Take<Brief>(), SizeIs(1));
  cluster_.JoinAt("b");  // nobody streams from there
  cluster_.PassTime(absl::Milliseconds(100));
  EXPECT_THAT(cluster_.Take<Brief>(), IsEmpty());
  const WorkerId again = cluster_.JoinAt("a");
  cluster_.Take<Brief>();  // its own, with its first task
  cluster_.PassTime(absl::Milliseconds(100));
  std::set<WorkerId> told;
  for (const Brief& brief : cluster_.Take<Brief>()) told.insert(brief.worker);
  told.erase(again);
  EXPECT_THAT(told, SizeIs(1));
  cluster_.PassTime(absl::Milliseconds(100));
  EXPECT_THAT(cluster_.Take<Brief>(), IsEmpty());
}

// --- drains ------------------------------------------------------------------

// Whoever would finish the job need not find out that they are gone.
TEST_F(Replicas, DrainTakesPartialsAlongWhichAreComputedAgain) {
  Put(1);
  const JobId job = cluster_.SubmitPlanned({.leaf_count = 1},
                                           {.operation = "sum", .matrix = "m"});
  auto tasks = cluster_.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(1));
  ASSERT_EQ(tasks[0].first, a_);
  cluster_.CommitTask(a_, tasks[0].second, Token(3));
  tasks = cluster_.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(1));
  ASSERT_EQ(tasks[0].second.kind, TaskKind::kFinish);
  Drain(a_);
  Pass(CoordinatorOptions().drain_wait);  // it does not finish
  tasks = cluster_.TakeTasks();
  ASSERT_THAT(tasks, SizeIs(1));
  const auto [other, finish] = tasks[0];
  ASSERT_EQ(finish.kind, TaskKind::kFinish);
  ASSERT_NE(other, a_);
  cluster_.Take<Revoke>();
  Copy();
  EXPECT_THAT(cluster_.Take<Dismiss>(), SizeIs(1));
  const auto revokes = cluster_.Take<Revoke>();
  ASSERT_THAT(revokes, SizeIs(1));
  EXPECT_THAT(revokes[0].tasks, ElementsAre(finish.id));
  EXPECT_TRUE(cluster_.Finish(job));
  EXPECT_EQ(cluster_.core().FindJob(job)->leaves_done, 1);
}

TEST_F(Replicas, DrainMovesWhatOnlyThatHostHas) {
  Put(1);
  EXPECT_THAT(Drain(a_), IsEmpty());
  EXPECT_EQ(cluster_.core().members().Find(a_)->state, WorkerState::kDraining);
  Copy();
  cluster_.PassTime(absl::Milliseconds(100));
  const auto answers = cluster_.Take<Answer>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_TRUE(answers[0].status.ok()) << answers[0].status;
  EXPECT_EQ(answers[0].bytes_moved, 64'000);
  EXPECT_THAT(cluster_.Take<Dismiss>(), SizeIs(1));
  EXPECT_THAT(cluster_.core().members().Find(a_)->lost_why,
              HasSubstr("drained; 64000 bytes moved"));
  EXPECT_NE(HostsOf("m")[0], "a");
}

TEST_F(Replicas, DrainOfOneOfTwoWorkersMovesNothing) {
  cluster_.JoinAt("a");
  Put(1);
  const auto answers = Drain(a_);
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].bytes_moved, 0);
  EXPECT_THAT(HostsOf("m"), ElementsAre("a"));
}

TEST_F(Replicas, DrainMovesResultsThatAreKept) {
  const JobId job = cluster_.SubmitPlanned({.leaf_count = 1});
  auto tasks = cluster_.TakeTasks();
  cluster_.CommitTask(tasks[0].first, tasks[0].second);
  tasks = cluster_.TakeTasks();
  const WorkerId finisher = tasks[0].first;
  const std::string host =
      cluster_.core().members().Find(finisher)->identity.host;
  cluster_.TellReport(finisher, FinishDone{.task = tasks[0].second.id,
                                           .job = job,
                                           .results = {Token(3)}});
  ASSERT_EQ(cluster_.core().FindJob(job)->state, JobState::kDone);
  cluster_.Take<Answer>();
  EXPECT_THAT(Drain(finisher), IsEmpty());
  Copy();
  cluster_.PassTime(absl::Milliseconds(100));
  EXPECT_THAT(cluster_.Take<Answer>(), SizeIs(1));
  const BytesRef result = cluster_.core().FindJob(job)->results.at(0);
  EXPECT_EQ(result.token, (Id{7, 1}));
  EXPECT_NE(result.host, host);
}

TEST_F(Replicas, DrainWithoutRoomElsewhereIsRefusedAndTheWorkerStays) {
  Put(1);
  SetFree("b", 10);
  SetFree("c", 10);
  const auto answers = Drain(a_);
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(ReasonOf(answers[0].status), Reason::kOutOfMemory);
  EXPECT_THAT(std::string(answers[0].status.message()),
              HasSubstr("drain w1: move \"m\""));
  EXPECT_EQ(cluster_.core().members().Find(a_)->state, WorkerState::kReady);
  EXPECT_THAT(cluster_.Take<Dismiss>(), IsEmpty());
}

TEST_F(Replicas, DrainOfAWorkerThatIsLostMeanwhileIsAnError) {
  Put(1);
  Drain(a_);
  cluster_.Lose(a_);
  const auto answers = cluster_.Take<Answer>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(ReasonOf(answers[0].status), Reason::kWorkerLost);
  EXPECT_THAT(cluster_.Take<StopCopy>(), SizeIs(1));
}

TEST_F(Replicas, AHostLeavesAllTheSameWhereNobodyTakesOver) {
  Put(1);
  SetFree("b", 10);
  SetFree("c", 10);
  cluster_.Tell(HostLeaves{a_, 1});
  cluster_.PassTime(absl::Milliseconds(100));
  const auto dismissed = cluster_.Take<Dismiss>();
  ASSERT_THAT(dismissed, SizeIs(1));
  EXPECT_THAT(dismissed[0].lost, HasSubstr("no other host took over m"));
}

TEST_F(Replicas, ACopyThatBringsNothingIsGivenUp) {
  Put(1);
  Drain(a_);
  const absl::Duration stall = CoordinatorOptions().copy_stall;
  for (absl::Duration time; time < stall; time += absl::Seconds(1)) {
    Pass(absl::Seconds(1));
  }
  const auto answers = cluster_.Take<Answer>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(ReasonOf(answers[0].status), Reason::kDeadlineExceeded);
  EXPECT_EQ(cluster_.core().members().Find(a_)->state, WorkerState::kReady);
}

// The matrix that a put replaced was dropped before the journal had the new
// one, and the new one was taken back: neither was left.
TEST(Puts, BringBackWhatTheyReplacedWhereTheJournalCantHaveThem) {
  Cluster cluster;
  cluster.Join();
  cluster.Tell(PutMatrix{1, MemoryMatrix("m", 5)});
  PutMatrix put{2, MemoryMatrix("m", 6), /*replace=*/true};
  put.holds_replaced = true;
  cluster.Tell(put);
  EXPECT_THAT(cluster.TakeDropped(), IsEmpty());
  cluster.Take<KeepMatrix>();

  cluster.Tell(PutWritten{2, "m", /*is_written=*/false});
  EXPECT_THAT(cluster.TakeDropped(), ElementsAre(Id{0, 6}));
  const MatrixPtr matrix = *cluster.core().catalog().Get("m");
  EXPECT_EQ(std::get<SegmentSource>(matrix->source).token, (Id{0, 5}));
  EXPECT_EQ(cluster.Take<KeepMatrix>().back().matrix, matrix);

  put.call = 3;
  cluster.Tell(put);
  EXPECT_THAT(cluster.TakeDropped(), IsEmpty());
  cluster.Tell(PutWritten{3, "m", /*is_written=*/true});
  EXPECT_THAT(cluster.TakeDropped(), ElementsAre(Id{0, 5}));
  cluster.Tell(PutMatrix{4, MemoryMatrix("new", 7)});
  cluster.Tell(PutWritten{4, "new", /*is_written=*/false});
  EXPECT_FALSE(cluster.core().catalog().Get("new").ok());
}

}  // namespace
}  // namespace hearth::server
