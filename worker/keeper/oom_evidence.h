#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace hearth::worker {

// How often the kernel has killed something for want of memory: in our cgroup
// where it counts that, else on this machine.
//
// Kind:    value. Reads files: for the shell.
class OomEvidence {
 public:
  // `events_path`: a cgroup's memory.events, or /proc/vmstat.
  explicit OomEvidence(std::string events_path = OwnEventsPath());

  // Whether the count has grown since the last call (or construction).
  bool Grew();

 private:
  static std::string OwnEventsPath();

  const std::string events_path_;
  std::int64_t seen_ = 0;
};

// The number behind "oom_kill " in a memory.events; 0 where there is none.
std::int64_t OomKillsIn(absl::string_view events);

}  // namespace hearth::worker
