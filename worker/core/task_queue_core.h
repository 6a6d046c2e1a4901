#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "worker/core/ledger.h"
#include "worker/core/outbox.h"
#include "worker/core/steps.h"
#include "worker/core/task.h"

namespace hearth::worker {

// --- what the coordinator says -----------------------------------------------

// A stream is up and this process welcome: whatever was reported and not
// acknowledged is sent again, and to a coordinator that was started anew, all
// that was committed of jobs that run still. The tasks of before are others'
// by now, and dropped here.
struct Joined {
  bool is_new_coordinator = false;
};
// The stream broke. What is under way goes on: its result may still be of use.
struct Disconnected {};
struct Briefed {
  std::uint64_t job = 0;
  int round = 0;
  std::int64_t leaf_count = 1;  // 1 while the job is not planned
  // It concatenates, into this segment of this host, if not zero: no partials.
  Id result{};
};
struct Assigned {
  std::vector<Task> tasks{};
};
struct Revoked {
  std::vector<std::uint64_t> tasks{};
};
// Another worker has the leaves from new_end on, begun here or not.
struct Shrunk {
  std::uint64_t task = 0;
  std::int64_t new_end = 0;
};
struct Released {
  std::uint64_t job = 0;
};
struct Acknowledged {
  std::uint64_t sequence = 0;
};
// What was done beside the tasks: reported like what they did.
struct CopyEnded {
  SegmentCopied report{};
};
struct TimePassed {};  // every few milliseconds while reports wait

using QueueEvent =
    std::variant<Joined, Disconnected, Briefed, Assigned, Revoked, Shrunk,
                 Released, Acknowledged, CopyEnded, TimePassed>;

// --- what the shell is asked to do -------------------------------------------

struct Wake {
  int thread_count = 0;  // that many idle ones; each calls Next
};
// What this thread computes is not wanted any more: stop it soon (a flag looked
// at between row blocks). It calls Next as always; its outcome is ignored.
struct Interrupt {
  int thread = 0;
};
struct Send {
  std::uint64_t sequence = 0;
  std::vector<Report> reports{};
};
// Drop what is cached for this job: plan, state, mappings.
struct Forget {
  std::uint64_t job = 0;
};
// Segments made here that nobody will hear of.
struct DropTokens {
  std::vector<Id> tokens{};
};
using QueueAction = std::variant<Wake, Interrupt, Send, Forget, DropTokens>;

// The tasks of one worker process: which thread computes which leaf next, which
// partials are joined in which order, what is reported when.
//
// Kind:    resource, single-threaded: the shell's threads take turns under its
//          lock.
// Promise: the partial of a run has the bits that the tree gives it, however
//          the work was cut. Every token handed to the core is reported until
//          acknowledged, or dropped.
// Bound:   what the coordinator assigned; reports not acknowledged yet; the
//          ledger's.
class TaskQueueCore {
 public:
  explicit TaskQueueCore(int thread_count, OutboxOptions options = {});

  std::vector<QueueAction> Handle(const QueueEvent& event, absl::Time now);

  // A thread's turn: how its last step went, and its next one. Carry out
  // `actions` first.
  struct Turn {
    Step step;
    std::vector<QueueAction> actions;
  };
  Turn Next(int thread, Outcome outcome, absl::Time now);

  // Segments that the coordinator had dropped.
  void NoteDropped(std::span<const Id> tokens) { ledger_.Drop(tokens); }

  std::size_t waiting_count() const { return waiting_.size(); }
  int running_count() const;
  // When TimePassed is wanted next; InfiniteFuture when nothing waits.
  absl::Time flush_at() const { return outbox_.flush_at(); }

 private:
  struct JobBrief {
    int round = 0;
    std::int64_t leaf_count = 1;
    Id result{};
  };
  // One thread and the task it has, if any.
  struct Seat {
    std::optional<Task> task;
    bool wanted = true;          // false: interrupted, its outcome is ignored
    bool idle = false;           // it waits for Wake
    Id result{};                 // zero: it has partials
    std::int64_t next_leaf = 0;  // the next one to start
    RunStack stack;
    Traffic traffic;
    absl::Time started_at;

    bool writes_result() const { return !result.zero(); }
  };

  // How the last step went.
  void Absorb(Seat& seat, Outcome outcome, absl::Time now,
              std::vector<QueueAction>& actions);
  void AbsorbWhole(Seat& seat, Report report, absl::Time now);
  Step NextStep(Seat& seat, absl::Time now);
  bool StartNextTask(Seat& seat, absl::Time now);
  // Reports every run of the stack, and ends the task.
  void CommitRuns(Seat& seat, std::vector<BytesRef> partials, absl::Time now);
  void Fail(Seat& seat, absl::Status status, absl::Time now);

  template <class Predicate>
  void DropTasksIf(Predicate unwanted, std::vector<QueueAction>& actions);
  void Wakes(std::vector<QueueAction>& actions) const;
  void Flush(std::vector<QueueAction>& actions);
  // Every commit goes through here.
  void AddCommit(Commit commit, absl::Time now);

  std::map<std::uint64_t, JobBrief> jobs_;
  std::deque<Task> waiting_;
  std::vector<Seat> seats_;
  Outbox outbox_;
  Ledger ledger_;
};

}  // namespace hearth::worker
