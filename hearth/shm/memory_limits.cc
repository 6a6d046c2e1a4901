#include "hearth/shm/memory_limits.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/read_file.h"
#include "hearth/shm/cgroup_memory.h"
#include "hearth/shm/process_memory.h"

namespace hearth {
namespace {

std::int64_t Headroom(std::int64_t limit_bytes) {
  return std::clamp(limit_bytes / limits::kMemoryHeadroomDivisor,
                    limits::kMemoryHeadroomBytesMin,
                    limits::kMemoryHeadroomBytesMax);
}

TightestLimit Candidate(std::int64_t limit_bytes, std::int64_t free_bytes,
                        std::string source) {
  return {.limit_bytes = limit_bytes,
          .free_bytes =
              std::max<std::int64_t>(free_bytes - Headroom(limit_bytes), 0),
          .source = std::move(source)};
}

std::string Sized(std::int64_t bytes) {
  if (bytes < limits::kGiB) {
    return absl::StrFormat("%.1f MiB", static_cast<double>(bytes) /
                                           static_cast<double>(limits::kMiB));
  }
  return absl::StrFormat("%.2f GiB", static_cast<double>(bytes) /
                                         static_cast<double>(limits::kGiB));
}

}  // namespace

TightestLimit TightestOf(const MemoryInputs& inputs) {
  constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
  TightestLimit tightest = {
      .limit_bytes = kAny, .free_bytes = kAny, .source = "no limit found"};
  if (inputs.total_bytes > 0) {
    tightest = Candidate(inputs.total_bytes, inputs.available_bytes,
                         "MemAvailable in /proc/meminfo");
  }
  for (const CgroupMemory& cgroup : inputs.cgroups) {
    const std::int64_t used =
        cgroup.usage_bytes -
        std::min(cgroup.reclaimable_bytes, cgroup.usage_bytes);
    TightestLimit candidate = Candidate(
        cgroup.limit_bytes, cgroup.limit_bytes - used, cgroup.limit_file);
    if (candidate.free_bytes < tightest.free_bytes) {
      tightest = std::move(candidate);
    }
  }
  return tightest;
}

absl::Status CheckFits(std::int64_t bytes, const TightestLimit& tightest,
                       absl::string_view attempt) {
  if (bytes <= tightest.free_bytes) return absl::OkStatus();
  return Error(
      Reason::kOutOfMemory,
      absl::StrCat(attempt, ": needs ", Sized(bytes), ", but ",
                   Sized(tightest.free_bytes), " of ",
                   Sized(tightest.limit_bytes), " can still be used (",
                   tightest.source,
                   "); free memory, raise that limit, or read the data from a "
                   "file in place"));
}

MemoryInputs MemoryLimits::Read() const {
  const HostMemory host = ReadHostMemory(root_);
  MemoryInputs inputs{.total_bytes = host.total_bytes,
                      .available_bytes = host.available_bytes};
  const auto cgroup = ReadSmallFile(root_ + "/proc/self/cgroup");
  const auto mounts = ReadSmallFile(root_ + "/proc/self/mountinfo");
  if (!cgroup.ok() || !mounts.ok()) return inputs;
  for (const CgroupPlace& place : FindMemoryCgroups(*cgroup, *mounts)) {
    for (CgroupMemory& level : ReadCgroupLevels(root_, place)) {
      inputs.cgroups.push_back(std::move(level));
    }
  }
  return inputs;
}

absl::Status MemoryLimits::Reserve(std::int64_t bytes,
                                   absl::string_view attempt,
                                   std::int64_t promised_bytes) const {
  // Nothing more to touch: fine however full the host is.
  if (bytes == 0) return absl::OkStatus();
  TightestLimit tightest = Tightest();
  tightest.free_bytes =
      std::max<std::int64_t>(tightest.free_bytes - promised_bytes, 0);
  return CheckFits(bytes, tightest, attempt);
}

}  // namespace hearth
