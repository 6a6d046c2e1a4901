#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace hearth::simulation {

struct JobScript {
  absl::Duration submitted_at;
  std::int64_t leaf_count = 1;
  int rounds = 1;
  bool concatenates = false;
  bool large_partials = false;  // tokens, not inline bytes
  std::int64_t min_run_leaves = 1;
  int max_workers = 0;
  absl::Duration leaf_time = absl::Milliseconds(1);
  std::optional<absl::Duration> cancelled_at;  // after its submission
  // A leaf that kills whoever computes it; that is refused; that fails for a
  // passing reason every so often.
  std::optional<std::int64_t> deadly_leaf;
  std::optional<std::int64_t> refused_leaf;
  double flaky = 0;
  // On a matrix in memory, of this number, rather than on a file.
  std::optional<std::size_t> matrix;
};

// A matrix that a client puts at the world's beginning.
struct MatrixScript {
  int replicas = 2;
  // Too large for any host: the cluster makes it, a part on each.
  bool in_pieces = false;
};
// Row blocks of one in pieces; a leaf of a job on it is 2^k of them.
inline constexpr std::int64_t kBlocksInPieces = 77;

// What happens in a world, but for chance, which comes from the seed.
struct Scenario {
  std::uint64_t seed = 0;
  int worker_count = 4;
  int host_count = 1;  // workers are dealt out among them
  int threads_max = 2;
  double slow_share = 0;  // of workers, that take 20 times as long
  bool restarts = true;
  absl::Duration delay_max = absl::Milliseconds(2);  // of a message
  // Mean time between two of them in the whole world; infinite: never.
  absl::Duration deaths = absl::InfiniteDuration();
  absl::Duration breaks = absl::InfiniteDuration();
  absl::Duration hangs = absl::InfiniteDuration();
  absl::Duration token_losses = absl::InfiniteDuration();
  // Every so often a whole host dies, or is drained; never two within that
  // time.
  absl::Duration host_ends = absl::InfiniteDuration();
  int host_ends_max = 0;
  absl::Duration coordinator_deaths = absl::InfiniteDuration();
  absl::Duration faults_end = absl::Seconds(20);
  std::int64_t free_bytes = std::int64_t{1} << 40;  // that each host tells
  std::vector<MatrixScript> matrices;
  std::vector<JobScript> jobs;

  // Test only: the coordinator loses what lost workers had.
  bool drop_requeue = false;
  // Likewise: it does not make up for lost replicas.
  bool no_mending = false;
  // Test only: a coordinator that is started again knows no job.
  bool lose_journal = false;
};

// A world of that number: size, troubles and jobs all by chance.
Scenario ScenarioOf(std::uint64_t seed);

// Several hosts that die and are drained one after the other, matrices on two
// of them, and jobs all the while.
Scenario ReplicaScenarioOf(std::uint64_t seed);

// The same with matrices in pieces.
Scenario SpreadScenarioOf(std::uint64_t seed);

std::string Describe(const Scenario& scenario);

}  // namespace hearth::simulation
