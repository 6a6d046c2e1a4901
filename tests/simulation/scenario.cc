#include "tests/simulation/scenario.h"

#include <random>

#include "absl/strings/str_cat.h"

namespace hearth::simulation {
namespace {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : bits_(seed) {}
  // In [low, high].
  std::int64_t Between(std::int64_t low, std::int64_t high) {
    const auto span = static_cast<std::uint64_t>(high - low + 1);
    return low + static_cast<std::int64_t>(bits_() % span);
  }
  bool OneIn(std::int64_t n) { return Between(1, n) == 1; }

 private:
  std::mt19937_64 bits_;
};

JobScript RandomJob(Chance& chance, std::int64_t leaves_max) {
  JobScript job;
  job.submitted_at = absl::Milliseconds(chance.Between(0, 2000));
  job.leaf_count = chance.Between(1, chance.OneIn(3) ? 20 : leaves_max);
  job.concatenates = chance.OneIn(4);
  job.rounds = chance.OneIn(3) ? static_cast<int>(chance.Between(2, 4)) : 1;
  if (job.concatenates) job.rounds = 1;
  job.large_partials = chance.OneIn(2);
  job.min_run_leaves = chance.OneIn(4) ? chance.Between(1, 8) : 1;
  job.max_workers =
      chance.OneIn(4) ? static_cast<int>(chance.Between(1, 3)) : 0;
  job.leaf_time = absl::Microseconds(
      chance.OneIn(3) ? chance.Between(0, 50) : chance.Between(100, 20'000));
  if (chance.OneIn(10)) {
    job.cancelled_at = absl::Milliseconds(chance.Between(0, 1000));
  }
  if (chance.OneIn(12)) {
    job.refused_leaf = chance.Between(0, job.leaf_count - 1);
  } else if (chance.OneIn(12)) {
    job.deadly_leaf = chance.Between(0, job.leaf_count - 1);
  } else if (chance.OneIn(6)) {
    job.flaky = 0.01;
  }
  return job;
}

}  // namespace

Scenario ScenarioOf(std::uint64_t seed) {
  Chance chance(seed * 7919 + 17);
  Scenario world;
  world.seed = seed;
  const bool is_large = seed % 125 == 124;
  world.worker_count = static_cast<int>(
      is_large ? 1000 : chance.Between(1, chance.OneIn(5) ? 40 : 8));
  world.threads_max = static_cast<int>(chance.Between(1, 4));
  if (chance.OneIn(3)) world.slow_share = 0.2;
  world.delay_max = absl::Microseconds(chance.Between(100, 20'000));
  const auto seldom = [&] {
    return absl::Milliseconds(chance.Between(50, 4000));
  };
  if (!chance.OneIn(3)) world.deaths = seldom();
  if (!chance.OneIn(3)) world.breaks = seldom();
  if (chance.OneIn(4)) world.hangs = seldom();
  if (chance.OneIn(3)) world.token_losses = seldom();
  if (chance.OneIn(3)) world.coordinator_deaths = seldom();
  const std::int64_t jobs = chance.Between(1, 5);
  for (std::int64_t i = 0; i < jobs; ++i) {
    world.jobs.push_back(RandomJob(chance, is_large ? 4000 : 1500));
  }
  return world;
}

Scenario ReplicaScenarioOf(std::uint64_t seed) {
  Chance chance(seed * 6007 + 5);
  Scenario world;
  world.seed = seed;
  world.host_count = static_cast<int>(chance.Between(3, 5));
  world.worker_count =
      world.host_count * static_cast<int>(chance.Between(1, 3));
  world.delay_max = absl::Microseconds(chance.Between(100, 20'000));
  world.host_ends = absl::Seconds(45);
  world.host_ends_max = 4;
  world.faults_end = absl::Seconds(200);
  if (chance.OneIn(2)) world.deaths = absl::Seconds(chance.Between(2, 10));
  if (chance.OneIn(2)) world.breaks = absl::Seconds(chance.Between(2, 10));
  world.matrices.resize(static_cast<std::size_t>(chance.Between(1, 4)));
  for (int i = 0; i < 12; ++i) {
    JobScript job = RandomJob(chance, 400);
    job.submitted_at = absl::Seconds(chance.Between(3, 210));
    job.deadly_leaf.reset();
    job.refused_leaf.reset();
    job.matrix = static_cast<std::size_t>(chance.Between(
        0, static_cast<std::int64_t>(world.matrices.size()) - 1));
    world.jobs.push_back(job);
  }
  return world;
}

Scenario SpreadScenarioOf(std::uint64_t seed) {
  Chance chance(seed * 5003 + 11);
  Scenario world = ReplicaScenarioOf(seed);
  world.free_bytes = std::int64_t{64} << 20;  // a block has 1 MiB
  for (MatrixScript& matrix : world.matrices) {
    matrix.in_pieces = !chance.OneIn(4);
  }
  world.matrices.front().in_pieces = true;
  for (JobScript& job : world.jobs) {
    job.submitted_at += absl::Seconds(3);
    if (!world.matrices[*job.matrix].in_pieces) continue;
    job.leaf_count = ((kBlocksInPieces - 1) >> chance.Between(0, 3)) + 1;
    job.min_run_leaves = 1;
  }
  return world;
}

std::string Describe(const Scenario& world) {
  std::string text = absl::StrCat(
      "seed ", world.seed, ": ", world.worker_count, " workers on ",
      world.host_count, " hosts, ", world.matrices.size(),
      " matrices, deaths every ", absl::FormatDuration(world.deaths),
      ", breaks ", absl::FormatDuration(world.breaks), ", hangs ",
      absl::FormatDuration(world.hangs), ", token losses ",
      absl::FormatDuration(world.token_losses), ", coordinator deaths ",
      absl::FormatDuration(world.coordinator_deaths), ", delay up to ",
      absl::FormatDuration(world.delay_max), "\n");
  for (const JobScript& job : world.jobs) {
    absl::StrAppend(
        &text, "  job of ", job.leaf_count, " leaves, ", job.rounds,
        " rounds, leaf ", absl::FormatDuration(job.leaf_time),
        job.concatenates ? ", concatenates" : "",
        job.large_partials ? ", tokens" : "",
        job.cancelled_at ? ", cancelled" : "",
        job.deadly_leaf ? absl::StrCat(", deadly ", *job.deadly_leaf) : "",
        job.refused_leaf ? absl::StrCat(", refused ", *job.refused_leaf) : "",
        job.flaky > 0 ? ", flaky" : "", ", at most ", job.max_workers,
        " workers\n");
  }
  return text;
}

}  // namespace hearth::simulation
