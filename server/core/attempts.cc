#include "server/core/attempts.h"

#include <algorithm>
#include <map>
#include <utility>

namespace hearth::server {

int Attempts::Record(Failure failure) {
  // Rounds do not come back: what failed in an earlier one is history.
  std::erase_if(failures_,
                [&](const Failure& old) { return old.round < failure.round; });
  failures_.push_back(std::move(failure));
  const Failure& latest = failures_.back();
  return Count(latest.kind, latest.round, latest.run);
}

int Attempts::Count(TaskKind kind, int round, LeafRun run) const {
  std::map<std::int64_t, int>
      steps;  // +1 where a failure begins, -1 at its end
  for (const Failure& failure : Of(kind, round, run)) {
    ++steps[std::max(failure.run.begin, run.begin)];
    --steps[std::min(failure.run.end, run.end)];
  }
  int depth = 0;
  int deepest = 0;
  for (const auto& [leaf, step] : steps) {
    depth += step;
    deepest = std::max(deepest, depth);
  }
  return deepest;
}

std::vector<Attempts::Failure> Attempts::Of(TaskKind kind, int round,
                                            LeafRun run) const {
  std::vector<Failure> found;
  for (const Failure& failure : failures_) {
    if (failure.kind == kind && failure.round == round &&
        failure.run.Overlaps(run)) {
      found.push_back(failure);
    }
  }
  return found;
}

}  // namespace hearth::server
