// What one thread of a worker does next, and how it went.
//
// Each thread has a row of slots for partials, numbered from 0: the shell
// keeps the bytes, the core says which to fill and which to join.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "hearth/base/id.h"
#include "worker/core/task.h"

namespace hearth::worker {

// Nothing: wait until Wake names this thread.
struct Idle {};
// Compute one leaf into slot `slot` (anew: Begin, then Accumulate), or, where
// the job writes its result (slot -1), into its segment. → LeafDone
struct ComputeLeaf {
  std::uint64_t job = 0;
  int round = 0;
  std::int64_t leaf = 0;
  int slot = 0;
};
// Combine slot right into slot left; right is free then. → SlotsCombined
// (Rows of a result that lies on another host: put behind one another.)
struct CombineSlots {
  std::uint64_t job = 0;
  int round = 0;
  int left = 0;
  int right = 0;
};
// Slot i holds the partial of runs[i], for each i: make each of them inline
// bytes or a segment. → Delivered. Never asked of a job that writes its result.
struct DeliverSlots {
  std::uint64_t job = 0;
  int round = 0;
  std::vector<LeafRun> runs{};
};
// Do a whole task at once: plan; combine its inputs along the tree, or write
// them into the result; combine them and finish. → WholeDone
struct RunTask {
  Task task{};
};
using Step =
    std::variant<Idle, ComputeLeaf, CombineSlots, DeliverSlots, RunTask>;

// --- how the last step went --------------------------------------------------

struct Nothing {};  // the thread's first turn, or it was Idle
struct LeafDone {
  absl::Status status{};
  Traffic traffic{};
  // The round's state or the result segment, where nobody holds it any more;
  // status is not looked at then.
  std::vector<Id> missing{};
};
struct SlotsCombined {
  absl::Status status{};
};
struct Delivered {
  absl::Status status{};
  std::vector<BytesRef> partials{};  // one for each of DeliverSlots::runs
};
// A Commit's, PlanReady's, ... task, job and round are filled in by the core;
// so is a Commit's run and busy time.
struct WholeDone {
  Report report{};
};
using Outcome =
    std::variant<Nothing, LeafDone, SlotsCombined, Delivered, WholeDone>;

}  // namespace hearth::worker
