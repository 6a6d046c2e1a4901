// System calls that fail for a test, as a full kernel or a foreign file system
// has them fail. What is set before a fork holds in the child, too.
#pragma once

#include <atomic>
#include <limits>

namespace hearth::worker::testing {

struct SystemFaults {
  // epoll_ctl(EPOLL_CTL_ADD) is ENOSPC once it was called so often.
  std::atomic<int> watches_left = std::numeric_limits<int>::max();
  // What flock fails with; 0: it does not.
  std::atomic<int> flock_error = 0;
};
SystemFaults& Faults();

}  // namespace hearth::worker::testing
