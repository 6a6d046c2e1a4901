#pragma once

#include <functional>
#include <string>

#include "absl/time/time.h"

namespace hearth::client {

struct OnInterrupt {
  // Runs on a thread of its own.
  std::function<void()> run;
  // From the signal to the guard's end. What is waited for may hang: then the
  // process ends without it, and says so.
  absl::Duration patience = absl::InfiniteDuration();
  std::string out_of_patience = {};
};

// While one lives, the first SIGINT or SIGTERM runs what it was given, and the
// second ends the process at once, as the end of its patience does. Clusters
// that this process has started go with it. One at a time.
//
// Kind: resource, scoped; make it before any other thread is started.
class InterruptGuard {
 public:
  explicit InterruptGuard(OnInterrupt options);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool interrupted();
};

}  // namespace hearth::client
