// The coordinator's books, one by one: catalog, cover, work queue, attempts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "hearth/base/error.h"
#include "server/core/attempts.h"
#include "server/core/catalog_core.h"
#include "server/core/cover.h"
#include "server/core/membership_core.h"
#include "server/core/work_queue.h"
#include "tests/unit/server_core/language.h"

namespace hearth::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// --- catalog -----------------------------------------------------------------

TEST(Catalog, TakesANameOnceUnlessToldToReplace) {
  CatalogCore catalog;
  EXPECT_TRUE(catalog.Put(MemoryMatrix("m", 1), false).ok());
  EXPECT_EQ(ReasonOf(catalog.Put(MemoryMatrix("m", 2), false)),
            Reason::kNameTaken);
  EXPECT_TRUE(catalog.Put(MemoryMatrix("m", 2), true).ok());
  EXPECT_THAT(catalog.TakeReleased(), ElementsAre(SegmentAt({0, 1}, "a")));
  EXPECT_EQ(ReasonOf(catalog.Remove("other")), Reason::kNameUnknown);
}

TEST(Catalog, AllowsTheNamesOfTheContract) {
  CatalogCore catalog;
  for (const char* good : {"m", "_x", "A.b-c_9", "weights.v2"}) {
    EXPECT_TRUE(catalog.Put(MemoryMatrix(good, 1), false).ok()) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("9a"), std::string("a/b"),
        std::string("a b"), std::string(129, 'a'), std::string("\xc3\xa4")}) {
    EXPECT_EQ(ReasonOf(catalog.Put(MemoryMatrix(bad, 1), false)),
              Reason::kBadUsage);
  }
}

TEST(Catalog, KeepsASegmentForEachOfItsNames) {
  CatalogCore catalog;
  ASSERT_TRUE(catalog.Put(MemoryMatrix("a", 1), false).ok());
  ASSERT_TRUE(catalog.Put(MemoryMatrix("b", 1), false).ok());
  ASSERT_TRUE(catalog.Remove("a").ok());
  EXPECT_THAT(catalog.TakeReleased(), IsEmpty());
  ASSERT_TRUE(catalog.Remove("b").ok());
  EXPECT_THAT(catalog.TakeReleased(), SizeIs(1));
}

TEST(Catalog, CutsShardsByRowsOrGivesAllOfThemWhereColumnsAreCut) {
  MatrixRecord matrix = FileMatrix();
  matrix.layout.shape = {1 << 20, 512};  // 4 GiB
  const auto shards = ShardsOf(matrix);
  ASSERT_THAT(shards, SizeIs(4));
  EXPECT_EQ(shards[1].rows, (RowRange{1 << 18, 1 << 19}));
  EXPECT_EQ(RowBlocksOf(matrix), 256);
  matrix.layout.order = Order::kFortran;
  for (const Shard& shard : ShardsOf(matrix)) {
    EXPECT_EQ(shard.rows, (RowRange{0, 1 << 20}));
  }
}

// --- membership --------------------------------------------------------------

// A link cut for as long as a lease made the matrices behind it "served by
// nobody", and every job on them fail, though their host came back at once.
TEST(Membership, KnowsWhichHostsMayMapEachOthersSegments) {
  MembershipCore members(absl::Seconds(5));
  const absl::Time now = absl::UnixEpoch();
  const auto join = [&](const std::string& host, const std::string& where) {
    WorkerIdentity identity{.host = host,
                            .slot = "0",
                            .incarnation = Id::Random(),
                            .neighbourhood = where};
    return members.Join(identity, now);
  };
  const auto a = join("a", "folder");
  join("b", "folder");
  join("c", "other folder");
  join("d", "");
  join("e", "");
  EXPECT_TRUE(members.AreNear("a", "a"));
  EXPECT_TRUE(members.AreNear("a", "b"));
  EXPECT_FALSE(members.AreNear("a", "c"));
  EXPECT_FALSE(members.AreNear("d", "e"));
  EXPECT_FALSE(members.AreNear("a", "nowhere"));
  members.Lose(a.worker, a.epoch, "gone", now);
  EXPECT_FALSE(members.AreNear("a", "b"));
}

TEST(Membership, KeepsTheAddressesOfWorkersThatFellSilent) {
  MembershipCore members(absl::Seconds(5));
  const absl::Time start = absl::UnixEpoch();
  const WorkerIdentity silent{.host = "a",
                              .slot = "0",
                              .incarnation = {1, 1},
                              .pid = 7,
                              .address = "a:1"};
  const WorkerIdentity killed{.host = "b",
                              .slot = "0",
                              .incarnation = {2, 2},
                              .pid = 8,
                              .address = "b:1"};
  members.Join(silent, start);
  const auto second = members.Join(killed, start);
  members.Lose(second.worker, second.epoch, "its stream broke", start);
  EXPECT_THAT(members.AddressesAt("b"), IsEmpty());
  EXPECT_THAT(members.Expire(start + absl::Seconds(6)), SizeIs(1));
  EXPECT_THAT(members.AddressesAt("a"), ElementsAre("a:1"));
  members.Tell("a", 7, "killed by signal 9");
  EXPECT_THAT(members.AddressesAt("a"), IsEmpty());
}

// --- cover -------------------------------------------------------------------

// Whatever comes in whatever order, each leaf counts once, and every partial
// is either in the cover or was handed back.
TEST(Cover, CountsEveryLeafOnce) {
  std::mt19937_64 bits(1);
  for (int round = 0; round < 200; ++round) {
    const auto leaves = static_cast<std::int64_t>(1 + bits() % 70);
    const bool concatenates = round % 2 == 1;
    Cover cover(leaves, concatenates);
    std::vector<int> counts(static_cast<std::size_t>(leaves));
    std::uint64_t given = 0;
    std::uint64_t back = 0;
    while (!cover.complete()) {
      const auto begin = static_cast<std::int64_t>(
          bits() % static_cast<std::uint64_t>(leaves));
      const LeafRun run =
          FirstNodeOf({begin, leaves}, std::int64_t{1} << (bits() % 7), leaves);
      ASSERT_TRUE(IsAligned(run, leaves));
      BytesRef partial;
      if (!concatenates) partial = Token(++given);
      std::vector<BytesRef> replaced;
      const bool accepted = cover.Accept(run, partial, replaced);
      back += replaced.size() + (accepted ? 0 : 1);
      ASSERT_TRUE(cover.Covers(run));
      for (std::int64_t leaf = run.begin; leaf < run.end; ++leaf) {
        counts[static_cast<std::size_t>(leaf)] = 1;
      }
      std::int64_t done = 0;
      for (const int count : counts) done += count;
      ASSERT_EQ(cover.leaves_done(), done);
    }
    EXPECT_THAT(cover.GapsIn({0, leaves}), IsEmpty());
    if (!concatenates) {
      const auto inputs = cover.Collect({0, leaves});
      EXPECT_EQ(inputs.size() + back, given);
      RunStack stack(leaves);
      for (const RunInput& input : inputs) {
        stack.Push(input.run);
        while (stack.CanCombine()) stack.Combine();
      }
      EXPECT_THAT(stack.runs(), ElementsAre(LeafRun{0, leaves}));
    }
  }
}

// Rows that were computed on another host count as done, and are gathered: who
// says last that they are written is believed.
TEST(Cover, KeepsWhatIsStillToBeGathered) {
  std::mt19937_64 bits(2);
  for (int round = 0; round < 200; ++round) {
    const auto leaves = static_cast<std::int64_t>(1 + bits() % 70);
    Cover cover(leaves, /*concatenates=*/true);
    std::vector<bool> done(static_cast<std::size_t>(leaves));
    std::vector<bool> written(done);
    std::set<Id> held;
    std::uint64_t given = 0;
    for (int step = 0; step < 300; ++step) {
      const auto begin = static_cast<std::int64_t>(
          bits() % static_cast<std::uint64_t>(leaves));
      LeafRun run =
          FirstNodeOf({begin, leaves}, std::int64_t{1} << (bits() % 7), leaves);
      const std::vector<RunInput> waiting = cover.Collect({0, leaves});
      BytesRef partial;
      if (bits() % 3 == 0 && !waiting.empty()) {
        run = waiting[bits() % waiting.size()].run;  // gathered
      } else if (bits() % 2 == 0) {
        partial = Token(++given);
      }
      const BytesRef told = partial;
      std::vector<BytesRef> replaced;
      const bool accepted = cover.Accept(run, partial, replaced);
      for (const BytesRef& one : replaced) EXPECT_EQ(held.erase(one.token), 1u);
      if (accepted && told.has_token()) held.insert(told.token);
      std::int64_t count = 0;
      for (std::int64_t leaf = 0; leaf < leaves; ++leaf) {
        const auto i = static_cast<std::size_t>(leaf);
        if (run.Contains({leaf, leaf + 1})) {
          done[i] = true;
          if (told.is_empty()) written[i] = true;
        }
        if (done[i]) ++count;
      }
      ASSERT_TRUE(cover.Covers(run));
      ASSERT_EQ(cover.leaves_done(), count);
      const std::vector<RunInput> left = cover.Collect({0, leaves});
      ASSERT_EQ(left.size(), held.size());
      std::vector<bool> ungathered(done.size());
      for (const RunInput& input : left) {
        ASSERT_TRUE(held.contains(input.partial.token));
        for (std::int64_t leaf = input.run.begin; leaf < input.run.end;
             ++leaf) {
          ungathered[static_cast<std::size_t>(leaf)] = true;
        }
      }
      for (std::size_t i = 0; i < done.size(); ++i) {
        ASSERT_TRUE(!done[i] || written[i] || ungathered[i]) << "leaf " << i;
      }
    }
  }
}

TEST(Cover, NamesTheGapsOfARun) {
  Cover cover(16, false);
  std::vector<BytesRef> replaced;
  BytesRef partial;
  cover.Accept({4, 6}, partial, replaced);
  cover.Accept({8, 12}, partial, replaced);
  EXPECT_THAT(cover.GapsIn({0, 16}),
              ElementsAre(LeafRun{0, 4}, LeafRun{6, 8}, LeafRun{12, 16}));
  EXPECT_THAT(cover.GapsIn({5, 9}), ElementsAre(LeafRun{6, 8}));
}

// --- work queue --------------------------------------------------------------

TEST(WorkQueue, HandsOutNodesOfTheTreeFirstLeavesFirst) {
  WorkQueue queue(true);
  queue.Add({0, 11});
  EXPECT_EQ(queue.Take(4, 11), (LeafRun{0, 4}));
  EXPECT_EQ(queue.Take(1, 11), (LeafRun{4, 5}));
  EXPECT_EQ(queue.Take(4, 11), (LeafRun{5, 6}));
  EXPECT_EQ(queue.Take(4, 11), (LeafRun{6, 8}));
  EXPECT_EQ(queue.Take(4, 11), (LeafRun{8, 11}));
  EXPECT_EQ(queue.Take(4, 11), std::nullopt);
}

TEST(WorkQueue, JoinsNeighboursOrKeepsTheirBounds) {
  for (const bool joins : {true, false}) {
    WorkQueue queue(joins);
    queue.Add({4, 8});
    queue.Add({0, 4});
    EXPECT_EQ(queue.leaf_count(), 8);
    EXPECT_EQ(queue.Take(8, 8), (LeafRun{0, joins ? 8 : 4}));
  }
}

TEST(WorkQueue, ForgetsWhatWasDoneElsewhere) {
  WorkQueue queue(true);
  queue.Add({0, 16});
  queue.Remove({4, 8});
  EXPECT_EQ(queue.leaf_count(), 12);
  EXPECT_EQ(queue.Take(16, 16), (LeafRun{0, 4}));
  EXPECT_EQ(queue.Take(16, 16), (LeafRun{8, 16}));
}

TEST(WorkQueue, GivesEveryReaderOfAFileAPartOfItsOwn) {
  WorkQueue queue(true);
  queue.Add({0, 64});
  EXPECT_EQ(queue.TakeAt(-1, 4, 4, 64), (LeafRun{0, 4}));
  EXPECT_EQ(queue.TakeAt(-1, 4, 4, 64), (LeafRun{20, 24}));
  EXPECT_EQ(queue.TakeAt(-1, 4, 4, 64), (LeafRun{40, 44}));
  EXPECT_EQ(queue.TakeAt(-1, 4, 4, 64), (LeafRun{56, 60}));
  EXPECT_EQ(queue.leaf_count(), 48);
}

TEST(WorkQueue, LetsAReaderGoOnWhereItIs) {
  WorkQueue queue(true);
  queue.Add({0, 64});
  std::int64_t place = -1;
  queue.TakeAt(-1, 2, 4, 64);
  for (const std::int64_t begin : {36, 40, 44}) {
    const auto run = queue.TakeAt(place, 2, 4, 64);
    EXPECT_EQ(run, (LeafRun{begin, begin + 4}));
    place = run->end;
  }
}

TEST(WorkQueue, HelpsTheReaderThatHasMostBeforeItOnceAPartIsDone) {
  WorkQueue queue(true);
  queue.Add({0, 16});
  EXPECT_EQ(queue.TakeAt(-1, 2, 8, 16), (LeafRun{0, 8}));
  EXPECT_EQ(queue.TakeAt(-1, 2, 2, 16), (LeafRun{12, 14}));
  EXPECT_EQ(queue.TakeAt(14, 2, 2, 16), (LeafRun{14, 16}));
  EXPECT_EQ(queue.TakeAt(16, 2, 1, 16), (LeafRun{10, 11}));
  // The last leaf before a reader, too, when there is no other.
  EXPECT_EQ(queue.TakeAt(8, 2, 2, 16), (LeafRun{8, 10}));
  EXPECT_EQ(queue.TakeAt(-1, 2, 2, 16), (LeafRun{11, 12}));
  EXPECT_TRUE(queue.empty());
}

TEST(WorkQueue, BeginsAtTheFrontOfWhatWasGivenBack) {
  WorkQueue queue(true);
  queue.Add({0, 64});
  queue.TakeAt(-1, 2, 64, 64);
  queue.Add({20, 36});
  EXPECT_EQ(queue.TakeAt(64, 2, 4, 64), (LeafRun{20, 24}));
}

// --- attempts ----------------------------------------------------------------

TEST(Attempts, AreInheritedByTheParts) {
  Attempts attempts;
  const auto fail = [&](LeafRun run) {
    return attempts.Record({.kind = TaskKind::kCompute, .run = run});
  };
  EXPECT_EQ(fail({0, 8}), 1);
  EXPECT_EQ(fail({0, 4}), 2);
  EXPECT_EQ(fail({4, 8}), 2);
  EXPECT_EQ(attempts.Count(TaskKind::kCompute, 0, {0, 8}), 2);
  EXPECT_EQ(fail({5, 6}), 3);
  EXPECT_EQ(attempts.Count(TaskKind::kCompute, 0, {6, 8}), 2);
  EXPECT_EQ(attempts.Count(TaskKind::kFinish, 0, {0, 8}), 0);
}

// --- run tree ----------------------------------------------------------------

TEST(RunTree, HasOneParentForTwoSiblings) {
  for (std::int64_t leaves = 2; leaves < 40; ++leaves) {
    for (std::int64_t begin = 0; begin < leaves; ++begin) {
      for (std::int64_t most = 1; most < leaves; most *= 2) {
        const LeafRun run = FirstNodeOf({begin, leaves}, most, leaves);
        if (run == LeafRun{0, leaves}) continue;
        const LeafRun sibling = SiblingOf(run, leaves);
        const bool is_left = run.begin < sibling.begin;
        ASSERT_TRUE(AreSiblings(is_left ? run : sibling,
                                is_left ? sibling : run, leaves));
        ASSERT_EQ(SiblingOf(sibling, leaves), run);
        ASSERT_EQ(ParentOf(run, leaves), ParentOf(sibling, leaves));
        ASSERT_TRUE(IsAligned(ParentOf(run, leaves), leaves));
      }
    }
  }
}

TEST(Ids, ReadBackWhatTheyWrite) {
  EXPECT_EQ(ToString(WorkerId{7}), "w7");
  EXPECT_EQ(ParseJobId("j12"), JobId{12});
  for (const char* bad :
       {"", "j", "w12", "j-1", "j1x", "j99999999999999999999"}) {
    EXPECT_EQ(ParseJobId(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace hearth::server
