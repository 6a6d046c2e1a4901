// What the kernel tells of a memfd.
#pragma once

#include "hearth/base/unique_fd.h"

namespace hearth {

// A description of its own, from any descriptor of this process; invalid, with
// errno, without /proc. `access` as for open().
UniqueFd OpenAgain(int fd, int access);

// Whether `fd` is a memfd that nobody can write, shrink or grow any more.
bool SealedForEver(int fd);

}  // namespace hearth
