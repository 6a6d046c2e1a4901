#pragma once

#include <sys/types.h>

#include <vector>

#include "hearth/base/unique_fd.h"

namespace hearth {

struct Ancestor {
  pid_t pid = 0;
  UniqueFd pidfd;
};

// The living processes that this one's unfetched tickets may wait with, nearest
// first: parents of parents that are ours (same user, same session) and belong
// to the same piece of work: the same process group, or running the same
// program. So a Pool's workers count their master; a pipeline or script counts
// its shell; and an interactive shell, which may stay for weeks and gives every
// command a group of its own, is left out.
//
// Bound: limits::kTicketAncestorsMax. Empty without /proc.
std::vector<Ancestor> LivingAncestors();

}  // namespace hearth
