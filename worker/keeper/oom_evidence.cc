#include "worker/keeper/oom_evidence.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace hearth::worker {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::int64_t OomKillsIn(absl::string_view events) {
  for (absl::string_view line : absl::StrSplit(events, '\n')) {
    std::int64_t kills = 0;
    if (absl::ConsumePrefix(&line, "oom_kill ") &&
        absl::SimpleAtoi(line, &kills)) {
      return kills;
    }
  }
  return 0;
}

OomEvidence::OomEvidence(std::string events_path)
    : events_path_(std::move(events_path)),
      seen_(OomKillsIn(Contents(events_path_))) {}

bool OomEvidence::Grew() {
  const std::int64_t kills = OomKillsIn(Contents(events_path_));
  return kills > std::exchange(seen_, kills);
}

std::string OomEvidence::OwnEventsPath() {
  for (absl::string_view line :
       absl::StrSplit(Contents("/proc/self/cgroup"), '\n')) {
    // cgroup v2's line. Its root has no such file, and neither has v1.
    if (absl::ConsumePrefix(&line, "0::")) {
      std::string path = absl::StrCat("/sys/fs/cgroup", line, "/memory.events");
      if (std::ifstream(path).good()) return path;
    }
  }
  return "/proc/vmstat";
}

}  // namespace hearth::worker
