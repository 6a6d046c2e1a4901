// Who maps a memfd so that it could write: the reason why a seal is refused.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace hearth {

// Addresses of this process that are known already, and left out.
using KnownPages = std::span<const std::byte>;

// Pure. Whether the text of /proc/PID/maps has a shared mapping of that inode.
bool MapsShared(absl::string_view maps, dev_t device, ino_t inode,
                KnownPages known = {});

// Pure. The same from /proc/PID/smaps, and only mappings that are writable or
// may be made so (VmFlags "sh" and "mw"): one that mprotect() made read-only
// still keeps a seal away.
bool MayWrite(absl::string_view smaps, dev_t device, ino_t inode,
              KnownPages known = {});

// Every process that `proc` shows and we may look at, in ascending order; this
// one only for what it maps beside `own_view`.
std::vector<pid_t> WritersOf(dev_t device, ino_t inode,
                             KnownPages own_view = {},
                             const std::string& proc = "/proc");

}  // namespace hearth
