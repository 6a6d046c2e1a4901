// How much memory may still be touched: the tightest of what the host has and
// what each cgroup on the way up allows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hearth {

// One cgroup's memory, v1 or v2. Kind: value.
struct CgroupMemory {
  std::string limit_file;        // the file that names the limit, for messages
  std::int64_t limit_bytes = 0;  // only cgroups that have a limit are listed
  std::int64_t usage_bytes = 0;
  // Clean page cache in usage_bytes, which the kernel gives back when asked.
  std::int64_t reclaimable_bytes = 0;

  friend bool operator==(const CgroupMemory&, const CgroupMemory&) = default;
};

// What the machine said at one moment. Kind: value.
struct MemoryInputs {
  std::int64_t total_bytes = 0;      // MemTotal; 0: could not be read
  std::int64_t available_bytes = 0;  // MemAvailable
  std::vector<CgroupMemory> cgroups = {};
};

// Kind: value.
struct TightestLimit {
  std::int64_t limit_bytes = 0;  // MemTotal, or the cgroup's limit
  std::int64_t free_bytes = 0;   // may still be touched; at least 0
  std::string source;            // "MemAvailable of /proc/meminfo", or the file
};

// Pure. A little is kept back of each limit (limits::kMemoryHeadroom...), for
// page tables and whoever else runs there: memory filled to the last byte gets
// somebody killed.
TightestLimit TightestOf(const MemoryInputs& inputs);

// Pure. Ok, or OUT_OF_MEMORY: "ATTEMPT: needs B bytes, but F of L are free
// (SOURCE); ...". `bytes` counts what is going to be touched.
absl::Status CheckFits(std::int64_t bytes, const TightestLimit& tightest,
                       absl::string_view attempt);

// Reads those limits. Not a promise: nothing is set aside, and others may take
// the memory meanwhile; hence one Reserve() before the first touch and one more
// for each limits::kFillCheckBytes while filling.
//
// Kind:    value: a path.
// Threads: const methods from any.
class MemoryLimits {
 public:
  // `root` stands before /proc and the cgroup mounts; tests give a fake tree.
  explicit MemoryLimits(std::string root = "") : root_(std::move(root)) {}

  // Reads anew, the place in the cgroup tree too. What can't be read is left
  // out: no limit is better than a made-up one.
  MemoryInputs Read() const;

  TightestLimit Tightest() const { return TightestOf(Read()); }

  // Ok when `bytes` more may be touched now. `promised_bytes`: promised to
  // others already but not touched yet, so that the kernel doesn't know.
  absl::Status Reserve(std::int64_t bytes, absl::string_view attempt,
                       std::int64_t promised_bytes = 0) const;

 private:
  std::string root_;
};

}  // namespace hearth
