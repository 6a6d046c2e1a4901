// Row blocks that landed beside their home: who has them computes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "hearth/base/error.h"
#include "server/core/fragment_book.h"
#include "server/core/homes.h"
#include "tests/unit/server_core/language.h"

namespace hearth::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Id kSegment{7, 7};

TEST(FragmentBook, JoinsNeighbours) {
  FragmentBook book;
  EXPECT_EQ(book.Find(kSegment), nullptr);
  book.Note(kSegment, "b", {4, 8});
  book.Note(kSegment, "b", {12, 16});
  book.Note(kSegment, "b", {0, 0});
  EXPECT_THAT(book.Find(kSegment)->at("b"),
              ElementsAre(BlockRun{4, 8}, BlockRun{12, 16}));
  book.Note(kSegment, "b", {8, 12});
  EXPECT_THAT(book.Find(kSegment)->at("b"), ElementsAre(BlockRun{4, 16}));
  EXPECT_TRUE(book.HasAll(kSegment, "b", {4, 16}));
  EXPECT_FALSE(book.HasAll(kSegment, "b", {3, 16}));
  EXPECT_FALSE(book.HasAll(kSegment, "c", {4, 5}));
  book.ForgetHost("b");
  EXPECT_EQ(book.Find(kSegment), nullptr);
}

TEST(FragmentBook, HoldsWhatASetOfBlocksHolds) {
  for (int seed = 0; seed < 200; ++seed) {
    std::mt19937 random(static_cast<unsigned>(seed));
    FragmentBook book;
    std::vector<bool> blocks(64);
    for (int i = 0; i < 20; ++i) {
      const std::int64_t begin = random() % 64;
      const std::int64_t end = begin + random() % (65 - begin);
      book.Note(kSegment, "b", {begin, end});
      for (std::int64_t k = begin; k < end; ++k) blocks[k] = true;
      for (std::int64_t k = 0; k < 64; ++k) {
        ASSERT_EQ(book.HasAll(kSegment, "b", {k, k + 1}), blocks[k])
            << "seed " << seed;
      }
    }
    if (book.Find(kSegment) == nullptr) continue;
    std::int64_t last = -1;
    for (const BlockRun& run : book.Find(kSegment)->at("b")) {
      EXPECT_GT(run.begin, last) << "not in order, or not joined: " << seed;
      EXPECT_GT(run.end, run.begin);
      last = run.end;
    }
  }
}

TEST(Homes, AHostIsAtHomeInWhatLandedThereWhole) {
  // Leaves of four blocks, the last of two.
  const SegmentSource segment = SegmentAt(kSegment, "a");
  const std::vector<SegmentPart> parts = {{&segment, 0, 18, 0}};
  FragmentBook book;
  book.Note(kSegment, "b", {3, 12});
  book.Note(kSegment, "c", {16, 18});
  const Homes homes(parts, book, 18, 5);
  EXPECT_THAT(homes.At("a"), ElementsAre(LeafRun{0, 5}));
  EXPECT_THAT(homes.OnlyAt("a"), ElementsAre(LeafRun{0, 1}, LeafRun{3, 4}));
  EXPECT_THAT(homes.At("b"), ElementsAre(LeafRun{1, 3}));
  EXPECT_THAT(homes.At("c"), ElementsAre(LeafRun{4, 5}));
  EXPECT_THAT(homes.OnlyAt("b"), IsEmpty());
  EXPECT_EQ(BlocksOf({4, 5}, 18, 5), (BlockRun{16, 18}));
}

// 128 blocks at "a", a slow job, and a worker elsewhere that helps with it.
class Fragments : public ::testing::Test {
 protected:
  Fragments() {
    home_ = cluster_.JoinAt("a");
    away_ = cluster_.JoinAt("b");
    MatrixRecord matrix = MemoryMatrix("m", 1);
    matrix.layout.shape = {65536, 256};
    cluster_.Tell(PutMatrix{.record = std::move(matrix)});
  }

  // Runs a job. What "b" streamed for it, which stays there if `is_kept`.
  std::vector<LeafRun> Streamed(bool is_kept) {
    const JobId job = cluster_.SubmitPlanned(
        {.leaf_count = 128}, {.operation = "sum", .matrix = "m"});
    std::vector<LeafRun> streamed;
    for (auto tasks = cluster_.TakeTasks(); !tasks.empty();
         tasks = cluster_.TakeTasks()) {
      // What finishes first is told first.
      for (const auto& [worker, task] : tasks) {
        if (task.kind == TaskKind::kFinish) {
          cluster_.FinishTask(worker, task);
          continue;
        }
        const bool streams = worker == away_ && !Has(task.run);
        if (task.kind == TaskKind::kCompute && streams) {
          streamed.push_back(task.run);
          if (is_kept) has_.push_back(task.run);
        }
        cluster_.Wait(absl::Milliseconds(50));
        cluster_.TellReport(
            worker,
            Commit{.task = task.id,
                   .job = task.job,
                   .round = task.round,
                   .run = task.run,
                   .partial = {"p"},
                   .busy = absl::Milliseconds(50) * task.run.leaf_count(),
                   .traffic = {.bytes_streamed =
                                   streams ? task.run.leaf_count() << 20 : 0},
                   .is_kept = is_kept});
      }
    }
    EXPECT_EQ(cluster_.core().FindJob(job)->state, JobState::kDone);
    return streamed;
  }
  bool Has(LeafRun run) const {
    std::int64_t there = 0;
    for (const LeafRun& one : has_) {
      there += std::max<std::int64_t>(
          0, std::min(one.end, run.end) - std::max(one.begin, run.begin));
    }
    return there == run.leaf_count();
  }
  static std::int64_t LeavesOf(const std::vector<LeafRun>& runs) {
    std::int64_t leaves = 0;
    for (const LeafRun& run : runs) leaves += run.leaf_count();
    return leaves;
  }

  Cluster cluster_;
  WorkerId home_{};
  WorkerId away_{};
  std::vector<LeafRun> has_;
};

TEST_F(Fragments, AreComputedByWhoeverHasThem) {
  EXPECT_GT(LeavesOf(Streamed(true)), 30);
  // A fortieth of the leaves moves on, at most, where the shares were uneven.
  EXPECT_LE(LeavesOf(Streamed(true)), 128 / 40);
  EXPECT_LE(LeavesOf(Streamed(true)), 128 / 40);
}

TEST_F(Fragments, ThatDidNotStayAreNotCountedOn) {
  const std::int64_t first = LeavesOf(Streamed(false));
  EXPECT_GT(first, 30);
  EXPECT_GT(LeavesOf(Streamed(false)), first / 2);
}

TEST_F(Fragments, AreForgottenWhereThereIsNoRoom) {
  EXPECT_GT(LeavesOf(Streamed(true)), 30);
  const JobId job =
      cluster_.SubmitPlanned({.leaf_count = 128, .needs_whole_matrix = true},
                             {.operation = "gram", .matrix = "m"});
  int refused = 0;
  for (auto tasks = cluster_.TakeTasks(); !tasks.empty();
       tasks = cluster_.TakeTasks()) {
    for (const auto& [worker, task] : tasks) {
      if (task.kind == TaskKind::kFinish) {
        cluster_.FinishTask(worker, task);
      } else if (worker == away_) {
        ++refused;
        cluster_.TellReport(
            worker, TaskFailed{task.id, task.job, task.round,
                               Error(Reason::kOutOfMemory, "bring a matrix")});
      } else {
        cluster_.Wait(absl::Seconds(1) * task.run.leaf_count());
        cluster_.TellReport(
            worker, Commit{.task = task.id,
                           .job = task.job,
                           .round = task.round,
                           .run = task.run,
                           .partial = {"p"},
                           .busy = absl::Seconds(1) * task.run.leaf_count()});
      }
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_LE(refused, 4) << "it was asked again and again";
  EXPECT_EQ(cluster_.core().FindJob(job)->state, JobState::kDone);
  EXPECT_THAT(cluster_.core().LandedBytes("m"), IsEmpty());
}

TEST_F(Fragments, GoWithTheirMatrix) {
  EXPECT_GT(LeavesOf(Streamed(true)), 30);
  cluster_.Tell(RemoveMatrix{.name = "m"});
  MatrixRecord matrix = MemoryMatrix("m", 1);  // by chance the same token
  matrix.layout.shape = {65536, 256};
  cluster_.Tell(PutMatrix{.record = std::move(matrix)});
  has_.clear();
  EXPECT_GT(LeavesOf(Streamed(true)), 30);
}

}  // namespace
}  // namespace hearth::server
