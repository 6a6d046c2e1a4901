#pragma once

#include <functional>

namespace hearth::client {

// While one lives, the first SIGINT or SIGTERM runs `on_interrupt` on a thread
// of its own, and the second ends the process at once. One at a time.
//
// Kind: resource, scoped; make it before any other thread is started.
class InterruptGuard {
 public:
  explicit InterruptGuard(std::function<void()> on_interrupt);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool interrupted();
};

}  // namespace hearth::client
