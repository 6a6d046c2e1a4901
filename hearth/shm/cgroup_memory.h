// Where in the cgroup trees this process is, and what each level says about
// memory. Inside this room only: see memory_limits.h.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "hearth/shm/memory_limits.h"

namespace hearth {

// The folder of this process's memory cgroup and the mount it lies under.
struct CgroupPlace {
  int version = 0;     // 1 or 2
  std::string mount;   // "/sys/fs/cgroup/memory"
  std::string folder;  // mount or below it

  friend bool operator==(const CgroupPlace&, const CgroupPlace&) = default;
};

// Pure. From the text of /proc/self/cgroup and /proc/self/mountinfo. At most
// one place a version; hosts with both hierarchies may have both.
std::vector<CgroupPlace> FindMemoryCgroups(absl::string_view cgroup,
                                           absl::string_view mountinfo);

// Every level with a limit, from the folder up to the mount. `root` stands
// before the paths.
std::vector<CgroupMemory> ReadCgroupLevels(const std::string& root,
                                           const CgroupPlace& place);

}  // namespace hearth
