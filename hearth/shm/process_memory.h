#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hearth {

// What one process has in memory, exactly. Kind: value.
//
// own:          pages that nobody else maps
// shared:       pages that others map too, counted whole
// proportional: each page divided by the number of its mappers; summed over all
//               processes it is what they really take
//
// Huge pages from the hugetlb pool, which the kernel leaves out of Rss and Pss,
// are counted in; those shared are counted whole in `proportional` (the kernel
// doesn't say how many share them).
struct ProcessMemory {
  std::int64_t own_bytes = 0;
  std::int64_t shared_bytes = 0;
  std::int64_t proportional_bytes = 0;

  friend bool operator==(const ProcessMemory&, const ProcessMemory&) = default;
};

// Pure. Sums every mapping in the text of smaps or smaps_rollup.
ProcessMemory ParseSmaps(absl::string_view text);

// Any process of the same user. Takes a millisecond a GiB that it maps by 4 KiB
// pages. NotFound when it is gone, PermissionDenied when it isn't ours.
absl::StatusOr<ProcessMemory> MemoryOf(pid_t pid);

// Kind: value.
struct HostMemory {
  std::int64_t total_bytes = 0;
  std::int64_t available_bytes = 0;
  std::int64_t shmem_bytes = 0;   // memfds, tmpfs, /dev/shm
  std::int64_t cached_bytes = 0;  // page cache, shmem included
};

// Pure. Missing fields stay 0.
HostMemory ParseMeminfo(absl::string_view text);
HostMemory ReadHostMemory(const std::string& root = "");

}  // namespace hearth
