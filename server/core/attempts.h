#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/core/ids.h"
#include "server/core/task.h"

namespace hearth::server {

// The failed attempts of one job: how often each piece of it failed, and where.
//
// Kind: resource, single-threaded.
class Attempts {
 public:
  struct Failure {
    TaskKind kind = TaskKind::kCompute;
    int round = 0;
    LeafRun run;
    WorkerId worker{};
    bool worker_lost = false;
    std::string what;  // a failed task's own message
    absl::Time at;
  };

  // Returns how often some leaf of this run has failed by now. Parts of a run
  // inherit its failures.
  int Record(Failure failure);
  int Count(TaskKind kind, int round, LeafRun run) const;

  // Those that led to a failure of this run, oldest first.
  std::vector<Failure> Of(TaskKind kind, int round, LeafRun run) const;

 private:
  std::vector<Failure> failures_;
};

}  // namespace hearth::server
