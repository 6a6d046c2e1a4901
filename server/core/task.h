// What is asked of a worker, and what it reports.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hearth/matrix/run_tree.h"
#include "server/core/bytes_ref.h"
#include "server/core/ids.h"
#include "server/core/matrix_record.h"

namespace hearth::server {

// What a client asks for, once its matrices are found. Immutable; shared by
// the job and every message that speaks of it.
struct JobOrder {
  std::string operation{};
  std::string arguments{};  // opaque: text parameters as the shells encode them
  MatrixPtr matrix{};
  std::map<std::string, MatrixPtr> parameters{};  // those that are matrices
  int max_workers = 0;                            // 0: no limit
  // The command that runs one task alone; "{leaves}" in it becomes "a:b".
  std::string replay{};
};

// What a worker found when it bound the operation to the matrix.
struct JobPlan {
  std::int64_t leaf_count = 1;
  bool concatenates = false;
  std::int64_t partial_bytes_max = 0;
  std::int64_t result_bytes = 0;
  BytesRef result{};          // concatenate: the segment that tasks write into
  std::string description{};  // opaque
  std::int64_t min_run_leaves = 1;  // smaller tasks are not worth a message
  std::int64_t max_run_leaves = 0;  // 0: no limit
  bool needs_whole_matrix = false;  // on the host of whoever computes a part
};

enum class TaskKind : std::uint8_t {
  kPlan,     // bind operation and matrix; answer PlanReady
  kCompute,  // leaves [run.begin, run.end); answer Commits
  kCombine,  // inputs, an ordered cover of run, to one partial; answer a Commit
  kFinish,   // inputs, an ordered cover of everything; answer FinishDone
};

struct RunInput {
  LeafRun run{};
  BytesRef partial{};
  friend bool operator==(const RunInput&, const RunInput&) = default;
};

struct Task {
  TaskId id{};
  TaskKind kind = TaskKind::kCompute;
  JobId job{};
  int round = 0;
  LeafRun run{};
  // kCombine, kFinish: in order, to be combined along the tree (RunStack).
  // Empty where a concatenating job finishes: seal the result.
  std::vector<RunInput> inputs{};
};

// Where a task's bytes came from. Added up over a job's accepted commits.
struct Traffic {
  std::int64_t bytes_mapped = 0;
  std::int64_t bytes_streamed = 0;
  std::int64_t bytes_copied = 0;
  std::int64_t bytes_converted = 0;

  Traffic& operator+=(const Traffic& other) {
    bytes_mapped += other.bytes_mapped;
    bytes_streamed += other.bytes_streamed;
    bytes_copied += other.bytes_copied;
    bytes_converted += other.bytes_converted;
    return *this;
  }
  friend bool operator==(const Traffic&, const Traffic&) = default;
};

// --- reports -----------------------------------------------------------------
// Each names the task that it answers. Every report may come twice, late, or
// for a job that has ended.

// A node of the tree is computed. A task that was shrunk to something that is
// no node commits several; the last one says `task_done`.
struct Commit {
  TaskId task{};
  JobId job{};
  int round = 0;
  LeafRun run{};
  BytesRef partial{};     // neither bytes nor token where rows were written
  Id written_to{};        // the result that they were written into: a plan made
                          // anew has another
  absl::Duration busy{};  // of the thread, for this run
  Traffic traffic{};
  // What its task read of another host's is on the worker's now, all of it.
  bool is_kept = false;
  bool task_done = true;
};

// The task can't be done here. INVALID_ARGUMENT, FAILED_PRECONDITION and their
// like (see IsRefusal) end the job at once; anything else is one attempt.
struct TaskFailed {
  TaskId task{};
  JobId job{};
  int round = 0;
  absl::Status status{};
};

// Inputs that nobody holds any more: their runs are void and computed again.
// Not an attempt.
struct InputMissing {
  TaskId task{};
  JobId job{};
  int round = 0;
  std::vector<Id> tokens{};
};

struct PlanReady {
  TaskId task{};
  JobId job{};
  JobPlan plan{};
};

struct FinishDone {
  TaskId task{};
  JobId job{};
  int round = 0;
  std::optional<BytesRef> next_state{};  // set: another round, with this state
  std::vector<BytesRef> results{};       // else: opaque to the coordinator
};

// A CopySegment has ended: the copy lies at the host of who says so, or there
// is none.
struct SegmentCopied {
  std::uint64_t order = 0;
  absl::Status status{};
  Id token{};
};

using Report = std::variant<Commit, TaskFailed, InputMissing, PlanReady,
                            FinishDone, SegmentCopied>;

// True for failures that would come again on any worker.
bool IsRefusal(const absl::Status& status);

}  // namespace hearth::server
