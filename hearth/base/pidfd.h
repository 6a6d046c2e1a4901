#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "hearth/base/unique_fd.h"

namespace hearth {

// A descriptor that becomes readable when the process ends, whatever becomes of
// its number; invalid where there is no such process. Closed on exec.
//
// By system call: <sys/pidfd.h> of glibc 2.36 declares no C linkage.
inline UniqueFd OpenPidfd(pid_t process) {
  return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
}

}  // namespace hearth
