#include "tests/unit/worker_keeper/system_faults.h"

#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace hearth::worker::testing {

SystemFaults& Faults() {
  static SystemFaults faults;
  return faults;
}

}  // namespace hearth::worker::testing

// These are in place of the C library's, for all of this program.
extern "C" int epoll_ctl(int epoll, int operation, int fd,
                         epoll_event* event) noexcept {
  if (operation == EPOLL_CTL_ADD &&
      hearth::worker::testing::Faults().watches_left.fetch_sub(1) <= 0) {
    errno = ENOSPC;
    return -1;
  }
  return static_cast<int>(syscall(SYS_epoll_ctl, epoll, operation, fd, event));
}

extern "C" int flock(int fd, int operation) noexcept {
  if (const int error = hearth::worker::testing::Faults().flock_error) {
    errno = error;
    return -1;
  }
  return static_cast<int>(syscall(SYS_flock, fd, operation));
}
