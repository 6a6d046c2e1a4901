// A worker's tasks and reports: the same words as the coordinator's
// (server/core/task.h), as the worker sees them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hearth/base/id.h"
#include "hearth/matrix/run_tree.h"

namespace hearth::worker {

// Bytes in a message, or the token of the segment that holds them.
struct BytesRef {
  std::string inline_bytes{};
  Id token{};                            // zero: inline
  std::int64_t bytes = 0;                // of the segment
  std::string host{};                    // where it lies; empty: on this host
  std::vector<std::string> addresses{};  // who serves it to other hosts

  bool has_token() const { return !token.zero(); }
  friend bool operator==(const BytesRef&, const BytesRef&) = default;
};

enum class TaskKind : std::uint8_t { kPlan, kCompute, kCombine, kFinish };

struct RunInput {
  LeafRun run{};
  BytesRef partial{};
  friend bool operator==(const RunInput&, const RunInput&) = default;
};

struct Task {
  std::uint64_t id = 0;
  TaskKind kind = TaskKind::kCompute;
  std::uint64_t job = 0;
  int round = 0;
  LeafRun run{};
  std::vector<RunInput> inputs{};  // kCombine, kFinish: an ordered cover
};

struct Traffic {
  std::int64_t bytes_mapped = 0;
  std::int64_t bytes_streamed = 0;
  std::int64_t bytes_kept = 0;  // of those streamed: they stay on this host
  std::int64_t bytes_copied = 0;
  std::int64_t bytes_converted = 0;

  Traffic& operator+=(const Traffic& other) {
    bytes_mapped += other.bytes_mapped;
    bytes_streamed += other.bytes_streamed;
    bytes_kept += other.bytes_kept;
    bytes_copied += other.bytes_copied;
    bytes_converted += other.bytes_converted;
    return *this;
  }
  friend bool operator==(const Traffic&, const Traffic&) = default;
};

// --- reports -----------------------------------------------------------------

struct Commit {
  std::uint64_t task = 0;
  std::uint64_t job = 0;
  int round = 0;
  LeafRun run{};
  BytesRef partial{};
  Id written_to{};  // rows are in the result: its token
  absl::Duration busy{};
  Traffic traffic{};
  // What its task read of another host's is on this one now, all of it.
  bool is_kept = false;
  bool task_done = true;
};
struct TaskFailed {
  std::uint64_t task = 0;
  std::uint64_t job = 0;
  int round = 0;
  absl::Status status{};
};
struct InputMissing {
  std::uint64_t task = 0;
  std::uint64_t job = 0;
  int round = 0;
  std::vector<Id> tokens{};
};
struct JobPlan {
  std::int64_t leaf_count = 1;
  bool concatenates = false;
  std::int64_t partial_bytes_max = 0;
  std::int64_t result_bytes = 0;
  BytesRef result{};
  std::string description{};
  std::int64_t min_run_leaves = 1;
  std::int64_t max_run_leaves = 0;
  bool needs_whole_matrix = false;
};
struct PlanReady {
  std::uint64_t task = 0;
  std::uint64_t job = 0;
  JobPlan plan{};
};
struct FinishDone {
  std::uint64_t task = 0;
  std::uint64_t job = 0;
  int round = 0;
  std::optional<BytesRef> next_state{};
  std::vector<BytesRef> results{};
};

struct SegmentCopied {
  std::uint64_t order = 0;
  absl::Status status{};
  Id token{};
};

using Report = std::variant<Commit, TaskFailed, InputMissing, PlanReady,
                            FinishDone, SegmentCopied>;

// The tokens that a report hands over.
std::vector<Id> TokensOf(const Report& report);

}  // namespace hearth::worker
