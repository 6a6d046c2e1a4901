#include "worker/core/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Commit Of(std::uint64_t job, LeafRun run, std::string partial = "p",
          int round = 0) {
  return {.task = 1,
          .job = job,
          .round = round,
          .run = run,
          .partial = {.inline_bytes = std::move(partial)}};
}

std::vector<LeafRun> RunsOf(const Ledger& ledger) {
  std::vector<LeafRun> runs;
  for (const Commit& commit : ledger.List()) runs.push_back(commit.run);
  return runs;
}

TEST(Ledger, KeepsTheLargestRuns) {
  Ledger ledger;
  ledger.Add(Of(1, {0, 1}));
  ledger.Add(Of(1, {1, 2}));
  ledger.Add(Of(1, {4, 6}));
  ledger.Add(Of(1, {0, 4}));
  EXPECT_THAT(RunsOf(ledger), ElementsAre(LeafRun{0, 4}, LeafRun{4, 6}));
  EXPECT_EQ(ledger.commit_count(), 2u);
}

TEST(Ledger, ForgetsARoundWithTheNext) {
  Ledger ledger;
  ledger.Add(Of(1, {0, 1}));
  ledger.BeginRound(1, 0);
  EXPECT_EQ(ledger.commit_count(), 1u);
  ledger.Add(Of(1, {1, 2}, "p", 1));
  EXPECT_THAT(RunsOf(ledger), ElementsAre(LeafRun{1, 2}));
  ledger.BeginRound(1, 2);
  EXPECT_THAT(RunsOf(ledger), IsEmpty());
}

TEST(Ledger, LetsGoOfSegmentsThatWereDropped) {
  Ledger ledger;
  const Id token{1, 2};
  Commit commit = Of(1, {0, 1}, "");
  commit.partial.token = token;
  ledger.Add(commit);
  ledger.Add(Of(1, {1, 2}));
  ledger.Drop(std::span(&token, 1));
  EXPECT_THAT(RunsOf(ledger), ElementsAre(LeafRun{1, 2}));
}

TEST(Ledger, KeepsWithinItsBoundsByForgettingTheOldestJob) {
  Ledger ledger({.jobs_max = 2, .inline_bytes_max = 10, .commits_max = 100});
  ledger.Add(Of(1, {0, 1}, "1234"));
  ledger.Add(Of(2, {0, 1}, "1234"));
  ledger.Add(Of(1, {1, 2}, "12"));  // job 2 is the oldest now
  ledger.Add(Of(3, {0, 1}, "12"));
  EXPECT_THAT(ledger.List(),
              testing::Each(testing::Field(&Commit::job, testing::Ne(2u))));
  ledger.Add(Of(4, {0, 1}, "much too long"));
  EXPECT_THAT(RunsOf(ledger), IsEmpty());
  ledger.Release(9);
}

}  // namespace
}  // namespace hearth::worker
