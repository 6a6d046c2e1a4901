// Matrices in pieces: where they are planned to lie, how they get there, who
// computes what of them, and what is left when hosts go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "hearth/base/error.h"
#include "server/core/homes.h"
#include "server/core/spread_plan.h"
#include "server/core/work_queue.h"
#include "tests/unit/server_core/language.h"

namespace hearth::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
const absl::Duration kHostGrace = CoordinatorOptions().host_grace;

// Row blocks of 1 MiB.
MatrixLayout LayoutOf(std::int64_t mebibytes) {
  return {.shape = {mebibytes * 1024, 128}};
}

std::map<std::string, std::int64_t> BytesByHost(
    const std::vector<PlannedPiece>& plan) {
  std::map<std::string, std::int64_t> bytes;
  for (const PlannedPiece& piece : plan) {
    for (const std::string& host : piece.hosts) {
      bytes[host] += (piece.block_end - piece.block_begin) * kMiB;
    }
  }
  return bytes;
}

// --- planned -----------------------------------------------------------------

TEST(SpreadPlan, IsOnePieceWhereAHostHasRoom) {
  const auto plan =
      PlanSpread(LayoutOf(100), 1, {{"a", 99 * kMiB}, {"b", 101 * kMiB}});
  EXPECT_THAT(*plan, ElementsAre(PlannedPiece{0, 100, {"b"}}));
}

TEST(SpreadPlan, GivesEachHostNeighboursByWhatItHasFree) {
  const auto plan =
      PlanSpread(LayoutOf(240), 1,
                 {{"a", 100 * kMiB}, {"b", 200 * kMiB}, {"c", 100 * kMiB}});
  ASSERT_TRUE(plan.has_value());
  std::vector<std::string> runs;
  std::int64_t last = 0;
  for (const PlannedPiece& piece : *plan) {
    EXPECT_EQ(piece.block_begin, last);
    last = piece.block_end;
    ASSERT_THAT(piece.hosts, SizeIs(1));
    if (runs.empty() || runs.back() != piece.hosts[0]) {
      runs.push_back(piece.hosts[0]);
    }
  }
  EXPECT_EQ(last, 240);
  EXPECT_THAT(runs, ElementsAre("b", "a", "c"));
  const auto bytes = BytesByHost(*plan);
  EXPECT_GE(bytes.at("b"), 112 * kMiB);
  EXPECT_LE(bytes.at("b"), 128 * kMiB);
  EXPECT_GE(bytes.at("c"), 48 * kMiB);
}

TEST(SpreadPlan, CutsSmallerWhereItWouldNotFitElse) {
  // 16 blocks a piece would leave 15 of each host's unused.
  const auto plan = PlanSpread(LayoutOf(186), 1,
                               {{"a", 31 * kMiB},
                                {"b", 31 * kMiB},
                                {"c", 31 * kMiB},
                                {"d", 31 * kMiB},
                                {"e", 31 * kMiB},
                                {"f", 31 * kMiB}});
  ASSERT_TRUE(plan.has_value());
  for (const auto& [host, bytes] : BytesByHost(*plan)) {
    EXPECT_LE(bytes, 31 * kMiB) << host;
  }
}

TEST(SpreadPlan, PutsReplicasOnDifferentHosts) {
  const auto plan =
      PlanSpread(LayoutOf(150), 2,
                 {{"a", 100 * kMiB}, {"b", 100 * kMiB}, {"c", 110 * kMiB}});
  ASSERT_TRUE(plan.has_value());
  for (const PlannedPiece& piece : *plan) {
    ASSERT_THAT(piece.hosts, SizeIs(2));
    EXPECT_NE(piece.hosts[0], piece.hosts[1]);
  }
  for (const auto& [host, bytes] : BytesByHost(*plan)) {
    EXPECT_LE(bytes, 110 * kMiB) << host;
  }
}

TEST(SpreadPlan, IsNoneWhereAllTogetherHaveTooLittle) {
  EXPECT_FALSE(
      PlanSpread(LayoutOf(201), 1, {{"a", 100 * kMiB}, {"b", 100 * kMiB}})
          .has_value());
  EXPECT_FALSE(PlanSpread(LayoutOf(10), 2, {{"a", 1000 * kMiB}}).has_value());
  EXPECT_FALSE(PlanSpread(LayoutOf(10), 1, {}).has_value());
}

TEST(SpreadPlan, HoldsAnyNumbersThatFit) {
  for (std::int64_t seed = 0; seed < 2000; ++seed) {
    const std::int64_t hosts = 1 + seed % 7;
    const int replicas = 1 + static_cast<int>(seed / 7 % 3);
    std::vector<HostRoom> rooms;
    std::map<std::string, std::int64_t> free;
    for (std::int64_t i = 0; i < hosts; ++i) {
      rooms.push_back({std::string(1, static_cast<char>('a' + i)),
                       (seed * 37 + i * i * 53) % 211 * kMiB});
      free[rooms.back().host] = rooms.back().free_bytes;
    }
    const std::int64_t blocks = 1 + seed * 13 % 500;
    const auto plan = PlanSpread(LayoutOf(blocks), replicas, rooms);
    std::int64_t room = 0;  // no host has a byte twice
    for (const HostRoom& one : rooms) {
      room += std::min(one.free_bytes / kMiB, blocks);
    }
    ASSERT_EQ(plan.has_value(), hosts >= replicas && room >= blocks * replicas)
        << seed;
    if (!plan.has_value()) continue;
    for (const auto& [host, bytes] : BytesByHost(*plan)) {
      EXPECT_LE(bytes, free.at(host)) << seed;
    }
    std::int64_t last = 0;
    for (const PlannedPiece& piece : *plan) {
      EXPECT_EQ(piece.block_begin, last) << seed;
      last = piece.block_end;
      EXPECT_EQ(std::set(piece.hosts.begin(), piece.hosts.end()).size(),
                replicas)
          << seed;
    }
    EXPECT_EQ(last, blocks) << seed;
  }
}

TEST(SpreadPlan, OfTerabytesIsAShardAPiece) {
  const MatrixLayout layout = {.shape = {std::int64_t{1} << 20, 1 << 17}};
  const std::int64_t room = 500 * (std::int64_t{1} << 30);
  const auto plan =
      PlanSpread(layout, 1, {{"a", room}, {"b", room}, {"c", room}});
  EXPECT_THAT(*plan, SizeIs(1024));
}

// --- at home -----------------------------------------------------------------

SpreadSource Pieces(std::vector<std::pair<std::int64_t, std::string>> ends) {
  SpreadSource spread{.token = {1, 1}, .pieces = {}};
  std::int64_t begin = 0;
  for (auto& [end, host] : ends) {
    const Id token{2, static_cast<std::uint64_t>(end)};
    spread.pieces.push_back({begin, end, SegmentAt(token, std::move(host))});
    begin = end;
  }
  return spread;
}

std::vector<SegmentPart> PartsOf(const SpreadSource& spread) {
  std::vector<SegmentPart> parts;
  for (const Piece& piece : spread.pieces) {
    parts.push_back({&piece.segment, piece.block_begin, piece.block_end, 0});
  }
  return parts;
}

TEST(Homes, AreWhereALeafBegins) {
  // Leaves of four blocks: the second one has blocks of both hosts.
  const SpreadSource spread = Pieces({{6, "a"}, {13, "b"}});
  const Homes homes(PartsOf(spread), {}, 13, 4);
  EXPECT_THAT(homes.At("a"), ElementsAre(LeafRun{0, 2}));
  EXPECT_THAT(homes.At("b"), ElementsAre(LeafRun{2, 4}));
  EXPECT_THAT(homes.At("c"), IsEmpty());
  EXPECT_TRUE(homes.IsAt("b", {3, 4}));
  EXPECT_FALSE(homes.IsAt("b", {1, 3}));
}

TEST(Homes, ServeNoLeafOfWhichABlockIsCutOff) {
  MembershipCore members(absl::Seconds(5));
  members.Join({.host = "b", .slot = "0", .incarnation = {1, 1}},
               absl::UnixEpoch());
  const SpreadSource spread = Pieces({{6, "a"}, {14, "b"}, {20, "c"}});
  const Homes homes(PartsOf(spread), {}, 20, 5);
  // Block 6 and 7 are b's, but in the leaf that a began.
  EXPECT_THAT(homes.Served(members), ElementsAre(LeafRun{2, 3}));
}

TEST(WorkQueue, GivesLeavesWithinRunsAlone) {
  WorkQueue queue(/*joins_neighbours=*/true);
  queue.Add({0, 16});
  const std::vector<LeafRun> mine = {{3, 6}, {8, 12}};
  std::vector<LeafRun> taken;
  while (const auto run = queue.TakeWithin(mine, 8, 16)) taken.push_back(*run);
  EXPECT_THAT(taken, ElementsAre(LeafRun{3, 4}, LeafRun{4, 6}, LeafRun{8, 12}));
  EXPECT_EQ(queue.leaf_count(), 9);
  EXPECT_EQ(queue.TakeWithin({{0, 16}}, 8, 16), (LeafRun{0, 2}));
}

TEST(WorkQueue, TakesWhatKeepsItsBoundsWholeWhereItBegins) {
  WorkQueue queue(/*joins_neighbours=*/false);
  queue.Add({4, 8});
  EXPECT_EQ(queue.TakeWithin({{5, 16}}, 1 << 20, 16), std::nullopt);
  EXPECT_EQ(queue.TakeWithin({{0, 5}}, 1 << 20, 16), (LeafRun{4, 8}));
}

// --- made, computed on, lost -------------------------------------------------

class Spread : public ::testing::Test {
 protected:
  Spread() {
    for (const std::string host : {"a", "b", "c"}) {
      workers_[host] = cluster_.JoinAt(host);
      free_[host] = 100 * kMiB;
    }
    Pass(absl::Milliseconds(1));
  }

  // Everybody who is there says so.
  void Pass(absl::Duration time) {
    for (; time > absl::ZeroDuration(); time -= absl::Seconds(1)) {
      for (const WorkerRecord& one : cluster_.core().members().List()) {
        if (one.state == WorkerState::kLost) continue;
        cluster_.Tell(
            Heartbeat{one.id, one.epoch, free_.at(one.identity.host)});
      }
      cluster_.PassTime(std::min(time, absl::Seconds(1)));
    }
  }
  void Put(std::int64_t mebibytes, int replicas = 1) {
    PutMatrix put{.call = 5, .record = {}, .replicas = replicas};
    put.record.name = "m";
    put.record.layout = LayoutOf(mebibytes);
    put.record.source = Unmade();
    put.origin = std::make_shared<const Origin>(
        Origin{.token = {3, 1}, .from = RandomNumbers{}});
    cluster_.Tell(std::move(put));
  }
  void Make(const CopySegment& copy) {
    cluster_.TellReport(copy.worker, SegmentCopied{.order = copy.order,
                                                   .token = Id{7, ++made_}});
  }
  // Every piece that was asked for is made, and every one asked for then.
  void MakeAll() {
    for (auto copies = cluster_.Take<CopySegment>(); !copies.empty();
         copies = cluster_.Take<CopySegment>()) {
      for (const CopySegment& copy : copies) Make(copy);
    }
  }
  absl::Status Answered() {
    const auto answers = cluster_.Take<Answer>();
    EXPECT_THAT(answers, SizeIs(1));
    return answers.empty() ? absl::UnknownError("no answer")
                           : answers[0].status;
  }
  const SpreadSource& Source() {
    matrix_ = *cluster_.core().catalog().Get("m");
    return std::get<SpreadSource>(matrix_->source);
  }
  std::string HostOf(WorkerId worker) {
    return cluster_.core().members().Find(worker)->identity.host;
  }
  void LoseHost(const std::string& host) {
    cluster_.Lose(workers_.at(host), "its connection broke");
    Pass(kHostGrace);
  }

  Cluster cluster_;
  std::map<std::string, WorkerId> workers_;
  std::map<std::string, std::int64_t> free_;
  std::uint64_t made_ = 0;
  MatrixPtr matrix_;
};

TEST_F(Spread, MatricesHaveANameOnceAllPiecesAreMade) {
  Put(240);
  auto copies = cluster_.Take<CopySegment>();
  ASSERT_FALSE(copies.empty());
  EXPECT_EQ(copies[0].offset % kMiB, 0);
  EXPECT_NE(copies[0].origin, nullptr);
  for (const CopySegment& copy : copies) Make(copy);
  EXPECT_THAT(cluster_.Take<Answer>(), IsEmpty());
  EXPECT_THAT(cluster_.core().catalog().List(), IsEmpty());
  MakeAll();
  EXPECT_TRUE(Answered().ok());
  std::set<std::string> hosts;
  std::int64_t last = 0;
  for (const Piece& piece : Source().pieces) {
    EXPECT_EQ(piece.block_begin, last);
    last = piece.block_end;
    hosts.insert(piece.segment.replicas.at(0).host);
  }
  EXPECT_EQ(last, 240);
  EXPECT_THAT(hosts, UnorderedElementsAre("a", "b", "c"));
  EXPECT_EQ(cluster_.core().live_token_count(), 0);
  cluster_.Tell(RemoveMatrix{2, "m"});
  EXPECT_THAT(cluster_.TakeDropped(), SizeIs(made_));
}

TEST_F(Spread, MatricesThatAHostHasRoomForAreWhole) {
  Put(90);
  MakeAll();
  EXPECT_TRUE(Answered().ok());
  EXPECT_TRUE(std::holds_alternative<SegmentSource>(
      (*cluster_.core().catalog().Get("m"))->source));
}

TEST_F(Spread, MatricesThatDoNotFitAreRefusedWithTheFigures) {
  Put(310);
  EXPECT_THAT(cluster_.Take<Answer>(), IsEmpty()) << "some may be freed";
  Pass(absl::Seconds(4));
  const absl::Status refused = Answered();
  EXPECT_EQ(ReasonOf(refused), Reason::kOutOfMemory);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("put \"m\": 325058560 bytes don't fit into what the "
                        "cluster has free, 314572800 bytes (104857600 on the "
                        "host of w1, 104857600 on the host of w2"));
  EXPECT_THAT(cluster_.Take<CopySegment>(), IsEmpty());
}

TEST_F(Spread, RoomThatWasFreedAMomentAgoCounts) {
  free_["b"] = 10 * kMiB;
  Pass(absl::Milliseconds(1));
  Put(240);
  EXPECT_THAT(cluster_.Take<CopySegment>(), IsEmpty());
  free_["b"] = 100 * kMiB;
  Pass(absl::Seconds(1));
  MakeAll();
  EXPECT_TRUE(Answered().ok());
}

TEST_F(Spread, RoomThatWasTakenAMomentAgoIsPlannedAroundOnce) {
  Put(240);
  auto copies = cluster_.Take<CopySegment>();
  Make(copies[0]);
  copies.erase(copies.begin());
  // Wherever one is tried now, there is no room.
  for (; !copies.empty(); copies = cluster_.Take<CopySegment>()) {
    for (const CopySegment& copy : copies) {
      cluster_.TellReport(copy.worker,
                          SegmentCopied{.order = copy.order,
                                        .status = Error(Reason::kOutOfMemory,
                                                        "full after all")});
    }
  }
  EXPECT_THAT(cluster_.Take<Answer>(), IsEmpty());
  EXPECT_THAT(cluster_.TakeDropped(), ElementsAre(Id{7, 1}));
  Pass(absl::Seconds(4));
  MakeAll();
  EXPECT_TRUE(Answered().ok());
  EXPECT_EQ(cluster_.core().live_token_count(), 0);
}

TEST_F(Spread, PiecesOfAHostThatIsLostMeanwhileAreMadeAgain) {
  Put(150);
  std::vector<CopySegment> elsewhere;
  for (auto copies = cluster_.Take<CopySegment>(); !copies.empty();
       copies = cluster_.Take<CopySegment>()) {
    for (const CopySegment& copy : copies) {
      if (HostOf(copy.worker) == "a") {
        Make(copy);
      } else {
        elsewhere.push_back(copy);
      }
    }
  }
  EXPECT_GT(made_, 1);
  LoseHost("a");
  for (const CopySegment& copy : elsewhere) Make(copy);
  MakeAll();
  EXPECT_TRUE(Answered().ok());
  for (const Piece& piece : Source().pieces) {
    EXPECT_NE(piece.segment.replicas.at(0).host, "a");
  }
}

TEST_F(Spread, ANameThatIsTakenIsRefusedAtOnce) {
  cluster_.Tell(PutMatrix{.call = 5, .record = MemoryMatrix("m", 1)});
  cluster_.Take<Answer>();
  Put(240);
  EXPECT_EQ(ReasonOf(Answered()), Reason::kNameTaken);
}

TEST_F(Spread, LeavesAreComputedWhereTheirPieceLies) {
  Put(240);
  MakeAll();
  ASSERT_TRUE(Answered().ok());
  const SpreadSource spread = Source();
  const Homes homes(PartsOf(spread), {}, 240, 240);
  const JobId job = cluster_.SubmitPlanned({.leaf_count = 240},
                                           {.operation = "sum", .matrix = "m"});
  int tasks = 0;
  for (const auto& [worker, task] : cluster_.TakeTasks()) {
    EXPECT_TRUE(homes.IsAt(HostOf(worker), task.run));
    ++tasks;
    cluster_.CommitTask(worker, task);
  }
  EXPECT_GE(tasks, 3);
  EXPECT_TRUE(cluster_.Finish(job));
}

// Each computes the rows of its piece; whose result lies elsewhere hands them
// over, and a worker beside the result writes them into it.
TEST_F(Spread, AConcatenatedResultIsGatheredFromEveryHostThatHasAPiece) {
  Put(240);
  MakeAll();
  ASSERT_TRUE(Answered().ok());
  const JobId job = cluster_.SubmitPlanned({.leaf_count = 240,
                                            .concatenates = true,
                                            .result_bytes = 240 * 1024,
                                            .result = Token(1)},
                                           {.operation = "sum", .matrix = "m"});
  const std::string home = cluster_.core().FindJob(job)->plan->result.host;
  std::set<std::string> hosts;
  int gathered = 0;
  std::uint64_t next = 100;
  for (int i = 0; i < 500; ++i) {
    const auto tasks = cluster_.TakeTasks();
    if (tasks.empty() || tasks[0].second.kind == TaskKind::kFinish) break;
    for (const auto& [worker, task] : tasks) {
      if (task.kind == TaskKind::kCombine) {
        EXPECT_EQ(HostOf(worker), home);
        ASSERT_THAT(task.inputs, SizeIs(1));
        EXPECT_EQ(task.inputs[0].run, task.run);
        ++gathered;
      }
      hosts.insert(HostOf(worker));
      cluster_.CommitTask(worker, task,
                          HostOf(worker) == home ? BytesRef{} : Token(++next));
    }
  }
  EXPECT_THAT(hosts, SizeIs(3));
  EXPECT_EQ(gathered, next - 100);
  EXPECT_EQ(cluster_.core().FindJob(job)->leaves_done, 240);
  EXPECT_EQ(cluster_.core().FindJob(job)->state, JobState::kFinishing);
  EXPECT_THAT(cluster_.TakeDropped(), SizeIs(gathered));
}

TEST_F(Spread, LossOfAHostNamesTheRowsThatItHad) {
  Put(240);
  MakeAll();
  ASSERT_TRUE(Answered().ok());
  std::int64_t first = -1;
  std::int64_t end = 0;
  for (const Piece& piece : Source().pieces) {
    if (piece.segment.replicas.at(0).host != "b") continue;
    if (first < 0) first = piece.block_begin * 1024;
    end = piece.block_end * 1024;
  }
  const JobId job = cluster_.Submit({.operation = "sum", .matrix = "m"}).job;
  LoseHost("b");
  const auto record = cluster_.core().FindJob(job);
  ASSERT_EQ(record->state, JobState::kFailed);
  EXPECT_THAT(std::string(record->status.message()),
              HasSubstr(absl::StrCat("rows ", first, ":", end,
                                     " of \"m\" were only on the host of w2, ",
                                     "which was lost")));
}

TEST_F(Spread, DrainMovesThePiecesOfAHost) {
  Put(150);
  MakeAll();
  ASSERT_TRUE(Answered().ok());
  cluster_.Tell(DrainWorker{8, workers_.at("b")});
  MakeAll();
  cluster_.PassTime(absl::Milliseconds(100));
  MakeAll();
  EXPECT_TRUE(Answered().ok());
  for (const Piece& piece : Source().pieces) {
    ASSERT_THAT(piece.segment.replicas, SizeIs(1));
    EXPECT_NE(piece.segment.replicas[0].host, "b");
  }
}

TEST_F(Spread, ReplicasArePiecesOfTheirOwnAndMadeUpFor) {
  Put(110, 2);
  MakeAll();
  EXPECT_TRUE(Answered().ok());
  LoseHost("b");
  for (int i = 0; i < 10; ++i) {
    Pass(absl::Seconds(1));
    MakeAll();
  }
  for (const Piece& piece : Source().pieces) {
    ASSERT_THAT(piece.segment.replicas, SizeIs(2));
    EXPECT_NE(piece.segment.replicas[0].host, "b");
    EXPECT_NE(piece.segment.replicas[1].host, "b");
    EXPECT_NE(piece.segment.replicas[0].host, piece.segment.replicas[1].host);
  }
}

}  // namespace
}  // namespace hearth::server
