// The cluster, played from seeds. HEARTH_SEED=n plays one of them again;
// HEARTH_SEEDS=n plays so many.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "tests/simulation/scenario.h"
#include "tests/simulation/world.h"

namespace hearth::simulation {
namespace {

std::optional<std::uint64_t> FromEnvironment(const char* name) {
  const char* text = std::getenv(name);
  std::uint64_t number = 0;
  if (text == nullptr || !absl::SimpleAtoi(text, &number)) return std::nullopt;
  return number;
}

void Play(const Scenario& scenario) {
  World world(scenario);
  const auto problems = world.Run();
  EXPECT_TRUE(problems.empty())
      << "  " << absl::StrJoin(problems, "\n  ") << "\nin "
      << Describe(scenario) << "again: HEARTH_SEED=" << scenario.seed;
}

TEST(Simulation, KeepsEveryPromiseWhateverHappens) {
  if (const auto seed = FromEnvironment("HEARTH_SEED")) {
    return Play(ScenarioOf(*seed));
  }
  const std::uint64_t seeds = FromEnvironment("HEARTH_SEEDS").value_or(500);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    Play(ScenarioOf(seed));
    if (::testing::Test::HasFailure()) return;  // the first one is enough
  }
}

}  // namespace
}  // namespace hearth::simulation
