// What `hearth top` shows of a cluster at one moment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/hearth.h"

namespace hearth::client {

struct ClusterLook {
  absl::Time at;
  std::vector<WorkerInfo> workers;
  std::vector<JobSummary> jobs;  // the oldest first
  std::vector<MatrixInfo> matrices;
};

struct ScreenSize {
  int columns = 80;
  int rows = 0;  // 0: as many as it takes
};

// Lines ended by newlines, no more and no wider than `size`: a summary, the
// jobs (running ones first, then the latest) and the workers (those that ended
// last). `before`: an earlier look, for how fast jobs go; may be null. Where
// there is no room for all rows, a line says how many more there are.
//
// Pure.
std::string TopScreen(const std::string& address, const ClusterLook& now,
                      const ClusterLook* before, ScreenSize size);

}  // namespace hearth::client
