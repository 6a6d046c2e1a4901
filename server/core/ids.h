// What the coordinator calls workers, jobs and tasks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace hearth::server {

// Counted from 1 in the order of joining and submission; never used again. 0
// is none.
enum class WorkerId : std::uint64_t {};
enum class JobId : std::uint64_t {};

// One assignment of one piece of work to one worker. Grows over the life of
// the coordinator, so that a late report of an earlier assignment is known as
// such.
enum class TaskId : std::uint64_t {};

// One wish that a segment should lie on more hosts (CopyCore).
enum class CopyId : std::uint64_t {};

constexpr std::uint64_t NumberOf(WorkerId id) {
  return static_cast<std::uint64_t>(id);
}
constexpr std::uint64_t NumberOf(JobId id) {
  return static_cast<std::uint64_t>(id);
}
constexpr std::uint64_t NumberOf(TaskId id) {
  return static_cast<std::uint64_t>(id);
}

std::string ToString(WorkerId id);  // "w7"
std::string ToString(JobId id);     // "j12"
std::optional<WorkerId> ParseWorkerId(absl::string_view text);
std::optional<JobId> ParseJobId(absl::string_view text);

}  // namespace hearth::server
