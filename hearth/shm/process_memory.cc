#include "hearth/shm/process_memory.h"

#include "absl/strings/str_cat.h"
#include "hearth/base/read_file.h"
#include "hearth/shm/smaps.h"

namespace hearth {

ProcessMemory ParseSmaps(absl::string_view text) {
  ProcessMemory memory;
  std::int64_t pss = 0;
  std::int64_t hugetlb = 0;
  ForEachSmapsField(text, [&](const SmapsMapping&, absl::string_view name,
                              std::int64_t bytes) {
    if (name == "Private_Clean" || name == "Private_Dirty") {
      memory.own_bytes += bytes;
    } else if (name == "Shared_Clean" || name == "Shared_Dirty") {
      memory.shared_bytes += bytes;
    } else if (name == "Private_Hugetlb") {
      memory.own_bytes += bytes;
      hugetlb += bytes;
    } else if (name == "Shared_Hugetlb") {
      memory.shared_bytes += bytes;
      hugetlb += bytes;
    } else if (name == "Pss") {
      pss += bytes;
    }
  });
  memory.proportional_bytes = pss + hugetlb;
  return memory;
}

absl::StatusOr<ProcessMemory> MemoryOf(pid_t pid) {
  // The roll-up (Linux 4.14) is the same sums without a line for each mapping.
  const std::string folder = absl::StrCat("/proc/", pid, "/");
  auto text = ReadSmallFile(folder + "smaps_rollup");
  if (!text.ok()) text = ReadSmallFile(folder + "smaps");
  if (!text.ok()) return text.status();
  return ParseSmaps(*text);
}

HostMemory ParseMeminfo(absl::string_view text) {
  HostMemory memory;
  ForEachSmapsField(text, [&](const SmapsMapping&, absl::string_view name,
                              std::int64_t bytes) {
    if (name == "MemTotal") memory.total_bytes = bytes;
    if (name == "MemAvailable") memory.available_bytes = bytes;
    if (name == "Shmem") memory.shmem_bytes = bytes;
    if (name == "Cached") memory.cached_bytes = bytes;
  });
  return memory;
}

HostMemory ReadHostMemory(const std::string& root) {
  const auto text = ReadSmallFile(root + "/proc/meminfo");
  return text.ok() ? ParseMeminfo(*text) : HostMemory{};
}

}  // namespace hearth
