// The cluster, played from seeds. HEARTH_SEED=n plays one of them again;
// HEARTH_SEEDS=n plays so many.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "tests/simulation/scenario.h"
#include "tests/simulation/world.h"

namespace hearth::simulation {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

std::optional<std::uint64_t> FromEnvironment(const char* name) {
  const char* text = std::getenv(name);
  std::uint64_t number = 0;
  if (text == nullptr || !absl::SimpleAtoi(text, &number)) return std::nullopt;
  return number;
}

World::Counts Play(const Scenario& scenario) {
  World world(scenario);
  const auto problems = world.Run();
  EXPECT_TRUE(problems.empty())
      << "  " << absl::StrJoin(problems, "\n  ") << "\nin "
      << Describe(scenario) << "again: HEARTH_SEED=" << scenario.seed;
  return world.counts();
}

TEST(Simulation, KeepsEveryPromiseWhateverHappens) {
  if (const auto seed = FromEnvironment("HEARTH_SEED")) {
    Play(ScenarioOf(*seed));
    return;
  }
  const std::uint64_t seeds = FromEnvironment("HEARTH_SEEDS").value_or(500);
  World::Counts counts;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    counts += Play(ScenarioOf(seed));
    if (::testing::Test::HasFailure()) return;  // the first one is enough
  }
  // A promise is not kept where nothing ever strained it.
  EXPECT_GT(counts.jobs_done, 2 * counts.jobs_failed);
  for (const std::int64_t count :
       {counts.combines, counts.revokes, counts.shrinks, counts.inputs_missing,
        counts.deaths, counts.breaks, counts.sent_again, counts.jobs_failed,
        counts.coordinator_deaths, counts.adopted}) {
    EXPECT_GE(count, static_cast<std::int64_t>(seeds) / 10);
  }
  std::cout << counts.assigns << " tasks, " << counts.combines << " combines, "
            << counts.revokes << " revoked, " << counts.shrinks << " split, "
            << counts.inputs_missing << " inputs missing, " << counts.deaths
            << " deaths, " << counts.breaks << " broken streams, "
            << counts.sent_again << " batches sent again, "
            << counts.coordinator_deaths << " coordinators killed, "
            << counts.adopted << " jobs adopted, " << counts.jobs_done
            << " jobs done, " << counts.jobs_failed << " failed\n";
}

TEST(Simulation, NoticesACoordinatorThatForgetsWhatLostWorkersHad) {
  int noticed = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Scenario scenario;
    scenario.seed = seed;
    scenario.deaths = absl::Milliseconds(200);
    scenario.faults_end = absl::Seconds(5);
    scenario.jobs = {{.leaf_count = 2000, .leaf_time = absl::Milliseconds(5)}};
    Play(scenario);
    scenario.drop_requeue = true;
    noticed += World(scenario).Run().empty() ? 0 : 1;
  }
  EXPECT_EQ(noticed, 5);
}

// Hosts die, or are drained, one at a time: whatever lay on two of them lies on
// two of them in the end, and every job on it has its bits.
TEST(Simulation, LosesNoMatrixOnTwoHostsWhenOneEndsAtATime) {
  if (const auto seed = FromEnvironment("HEARTH_SEED")) {
    Play(ReplicaScenarioOf(*seed));
    return;
  }
  const std::uint64_t seeds = FromEnvironment("HEARTH_SEEDS").value_or(500) / 4;
  World::Counts counts;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    counts += Play(ReplicaScenarioOf(seed));
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GE(counts.copies, 2 * static_cast<std::int64_t>(seeds));
  EXPECT_GE(counts.host_deaths, static_cast<std::int64_t>(seeds));
  EXPECT_GE(counts.drains, static_cast<std::int64_t>(seeds) / 4);
  std::cout << counts.copies << " copies, " << counts.host_deaths
            << " hosts died, " << counts.drains << " drained, "
            << counts.jobs_done << " jobs done, " << counts.jobs_failed
            << " failed\n";
}

// The same where no host has room for a matrix: every piece of it lies on two
// hosts, and is made up for by itself.
TEST(Simulation, LosesNoPieceOnTwoHostsWhenOneEndsAtATime) {
  if (const auto seed = FromEnvironment("HEARTH_SEED")) {
    Play(SpreadScenarioOf(*seed));
    return;
  }
  const std::uint64_t seeds = FromEnvironment("HEARTH_SEEDS").value_or(500) / 8;
  World::Counts counts;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    counts += Play(SpreadScenarioOf(seed));
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GE(counts.pieces, 20 * static_cast<std::int64_t>(seeds));
  EXPECT_GE(counts.copies, 20 * static_cast<std::int64_t>(seeds));
  EXPECT_GE(counts.host_deaths, static_cast<std::int64_t>(seeds));
  EXPECT_GE(counts.gathered, 5 * static_cast<std::int64_t>(seeds));
  std::cout << counts.pieces << " pieces made, " << counts.copies << " copies, "
            << counts.gathered << " runs of results gathered, "
            << counts.host_deaths << " hosts died, " << counts.drains
            << " drained, " << counts.jobs_done << " jobs done, "
            << counts.jobs_failed << " failed\n";
}

TEST(Simulation, NoticesACoordinatorThatDoesNotMakeUpForLostReplicas) {
  // A seed whose hosts end far enough from each other's matrices loses none.
  int noticed = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Scenario scenario = ReplicaScenarioOf(seed);
    scenario.no_mending = true;
    noticed += World(scenario).Run().empty() ? 0 : 1;
  }
  std::cout << noticed << " of 20 seeds notice\n";
  EXPECT_GE(noticed, 14);
}

// A coordinator that dies in the middle costs what was under way, and not what
// was done: the workers tell the next one.
TEST(Simulation, GoesOnWhereADeadCoordinatorWas) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Scenario scenario;
    scenario.seed = seed;
    scenario.worker_count = 8;
    scenario.coordinator_deaths = absl::Seconds(2);
    scenario.faults_end = absl::Seconds(6);
    scenario.jobs = {{.leaf_count = 8000,
                      .large_partials = seed % 2 == 0,
                      .leaf_time = absl::Milliseconds(10)}};
    World world(scenario);
    EXPECT_EQ(absl::StrJoin(world.Run(), "; "), "") << Describe(scenario);
    EXPECT_EQ(world.ended(0)->state, server::JobState::kDone);
    EXPECT_GT(world.counts().adopted, 0) << Describe(scenario);
    EXPECT_LT(world.leaves_computed(),
              8000 + world.counts().coordinator_deaths * 1500)
        << Describe(scenario);
  }
}

TEST(Simulation, NoticesACoordinatorThatLosesItsJournal) {
  Scenario scenario;
  scenario.coordinator_deaths = absl::Seconds(1);
  scenario.faults_end = absl::Seconds(6);
  scenario.jobs = {{.leaf_count = 4000, .leaf_time = absl::Milliseconds(10)}};
  Play(scenario);
  scenario.lose_journal = true;
  EXPECT_THAT(World(scenario).Run(),
              Contains(HasSubstr("is known to nobody any more")));
}

TEST(Simulation, FailsOnlyTheJobWhoseLeafKillsItsWorkers) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Scenario scenario;
    scenario.seed = seed;
    scenario.worker_count = 1 + static_cast<int>(seed % 4);
    scenario.threads_max = 4;
    scenario.jobs = {
        {.leaf_count = 300, .leaf_time = absl::Microseconds(20)},
        {.leaf_count = 200,
         .leaf_time = absl::Microseconds(10),
         .deadly_leaf = 77},
        {.leaf_count = 100, .leaf_time = absl::Milliseconds(20)},
    };
    World world(scenario);
    EXPECT_EQ(absl::StrJoin(world.Run(), "; "), "") << Describe(scenario);
    EXPECT_EQ(world.ended(0)->state, server::JobState::kDone);
    EXPECT_EQ(world.ended(2)->state, server::JobState::kDone);
    ASSERT_EQ(world.ended(1)->state, server::JobState::kFailed);
    // Three that count, and a few more where what was lost with the first
    // worker hid which task it was, or one that was taken over ran twice.
    EXPECT_GE(world.deaths_by_leaf(1), 3);
    EXPECT_LE(world.deaths_by_leaf(1), 6);
    const std::string story(world.ended(1)->status.message());
    EXPECT_THAT(story, HasSubstr("failed 3 times"));
    EXPECT_THAT(story, HasSubstr("Attempt 3, worker w"));
    EXPECT_THAT(story, HasSubstr("killed by signal 11 (SIGSEGV)"));
    EXPECT_THAT(story, HasSubstr("replay "));
  }
}

TEST(Simulation, EndsJobsClearlyWhenNobodyIsLeft) {
  Scenario scenario;
  scenario.worker_count = 3;
  scenario.restarts = false;
  scenario.deaths = absl::Milliseconds(100);
  scenario.jobs = {{.leaf_count = 100'000, .leaf_time = absl::Milliseconds(5)}};
  World world(scenario);
  world.Run();
  ASSERT_TRUE(world.ended(0).has_value());
  EXPECT_THAT(std::string(world.ended(0)->status.message()),
              HasSubstr("no worker is left"));
  EXPECT_LT(world.ended(0)->ended_at, absl::UnixEpoch() + absl::Seconds(16));
}

// 1,000 workers, a fifth of them 20 times as slow: what these began is split
// and taken over, so that the whole ends nearly when an even share would.
TEST(Simulation, SharesOutEvenlyAmongAThousandWorkers) {
  Scenario scenario;
  scenario.worker_count = 1000;
  scenario.threads_max = 1;
  scenario.slow_share = 0.2;
  scenario.jobs = {{.submitted_at = absl::Seconds(1),
                    .leaf_count = 400'000,
                    .leaf_time = absl::Milliseconds(10)}};
  World world(scenario);
  EXPECT_EQ(absl::StrJoin(world.Run(), "; "), "");
  const absl::Duration took =
      world.ended(0)->ended_at - world.ended(0)->submitted_at;
  const absl::Duration even_share = absl::Milliseconds(10) * 400'000 / 810;
  EXPECT_LT(took, even_share * 1.2);
  EXPECT_LT(world.leaves_computed(), 400'000 * 1.02);
  std::cout << "took " << took << ", an even share takes " << even_share
            << "; leaves computed " << world.leaves_computed() << "\n";
}

}  // namespace
}  // namespace hearth::simulation
