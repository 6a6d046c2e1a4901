// Memfds, and what the kernel tells of them.
#pragma once

#include <string>

#include "hearth/base/unique_fd.h"

namespace hearth {

// A fresh one that can be sealed, and never executed: hosts may refuse any
// other (vm.memfd_noexec). Invalid, with errno.
UniqueFd NewMemfd(const std::string& label);

// A description of its own, from any descriptor of this process; invalid, with
// errno, without /proc. `access` as for open().
UniqueFd OpenAgain(int fd, int access);

// Whether `fd` is a memfd that nobody can write, shrink or grow any more.
bool SealedForEver(int fd);

}  // namespace hearth
