#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "worker/keeper/worker_story.h"

namespace hearth::worker {

// A child of the keeper: essentials come first, then workers by slot.
using ChildIndex = std::uint32_t;

// ---- What happens.

struct Began {};
struct ChildSaidReady {
  ChildIndex child = 0;
};
// Or could not be started at all. The core fills in `slot` and `given_up`.
struct ChildEnded {
  ChildIndex child = 0;
  WorkerStory story;
};
// Somebody wants all of it to end. `at_once`: without the grace.
struct StopAsked {
  int exit_status = 0;
  bool at_once = false;
};
// The workers are to hand over what only this host has, and to end by
// themselves. Asked again, or StopAsked: now.
struct LeaveAsked {};
// One of them is still at it.
struct ChildIsLeaving {
  ChildIndex child = 0;
};
// It runs: said about once a second, by those that say it at all.
struct ChildIsAlive {
  ChildIndex child = 0;
};
struct TimeWentBy {};

using SupervisorEvent =
    std::variant<Began, ChildSaidReady, ChildEnded, StopAsked, LeaveAsked,
                 ChildIsLeaving, ChildIsAlive, TimeWentBy>;

// ---- What is to be done.

struct StartChild {
  ChildIndex child = 0;
  std::vector<WorkerStory> predecessors = {};
  friend bool operator==(const StartChild&, const StartChild&) = default;
};
struct TellStory {
  ChildIndex to = 0;
  WorkerStory story;
  friend bool operator==(const TellStory&, const TellStory&) = default;
};
struct AskToLeave {
  ChildIndex child = 0;
  friend bool operator==(const AskToLeave&, const AskToLeave&) = default;
};
// SIGTERM, and SIGKILL.
struct TerminateChild {
  ChildIndex child = 0;
  friend bool operator==(const TerminateChild&,
                         const TerminateChild&) = default;
};
struct KillChild {
  ChildIndex child = 0;
  friend bool operator==(const KillChild&, const KillChild&) = default;
};
// SIGKILL, as it has fallen silent; not while a debugger holds it.
struct KillHungChild {
  ChildIndex child = 0;
  friend bool operator==(const KillHungChild&, const KillHungChild&) = default;
};
// Every child has been ready; once.
struct AllReady {
  friend bool operator==(const AllReady&, const AllReady&) = default;
};
// For people: this child's end is why things are not as they should be.
struct ReportEnd {
  ChildIndex child = 0;
  WorkerStory story;
  friend bool operator==(const ReportEnd&, const ReportEnd&) = default;
};
struct Finish {
  int exit_status = 0;
  friend bool operator==(const Finish&, const Finish&) = default;
};

using SupervisorAction =
    std::variant<StartChild, TellStory, AskToLeave, TerminateChild, KillChild,
                 KillHungChild, AllReady, ReportEnd, Finish>;

// Decides who runs, who is started again, and when all of it ends.
//
// A worker that crashes (any end but exit status 0) is started again after
// 100 ms, doubling with each crash within a minute, and given up after the
// third; one that exits before it was ever ready is given up at once. Its story
// goes to its own successor, to every living sibling and to those that get
// ready soon after: each tells the coordinator, which takes the first; and to
// a coordinator that is an essential child. When no worker is left, that one
// has a second to tell its clients. An essential child's end ends everything.
//
// A worker that said that it is alive and then falls silent for
// limits::kSilentLooksMax looks is hung: it is killed, which is a crash. One
// that is spared then is looked at for as long again. An essential child is not
// watched: its end would be everybody's.
//
// Asked to leave, it waits for workers that say that they are at it; none is
// started again meanwhile.
//
// Kind:    resource, single-threaded, pure: knows no pid and sends no signal.
// Time:    `now` never runs backwards.
class SupervisorCore {
 public:
  struct Options {
    std::uint32_t essential_count = 0;
    std::uint32_t worker_count = 0;
    absl::Duration grace = absl::Seconds(2);
  };
  explicit SupervisorCore(Options options);

  std::vector<SupervisorAction> Handle(const SupervisorEvent& event,
                                       absl::Time now);

  // When to send TimeWentBy at the latest; nothing: no need.
  std::optional<absl::Time> next_wake() const;

 private:
  enum class State : std::uint8_t { kWaiting, kRunning, kDone, kGivenUp };
  struct Child {
    State state = State::kWaiting;
    bool ready = false;                            // this process
    bool ready_once = false;                       // or one of its predecessors
    absl::Time start_at = absl::InfiniteFuture();  // while kWaiting
    std::deque<absl::Time> crashes;                // of the last minute
    std::optional<int> silent_looks;  // nothing: it has never said a word
    std::vector<WorkerStory> predecessors;
  };
  using Actions = std::vector<SupervisorAction>;

  void On(const Began& began, Actions& actions);
  void On(const ChildSaidReady& said, Actions& actions);
  void On(const ChildEnded& ended, Actions& actions);
  void On(const StopAsked& asked, Actions& actions);
  void On(const LeaveAsked& asked, Actions& actions);
  void On(const ChildIsLeaving& leaving, Actions& actions);
  void On(const ChildIsAlive& alive, Actions& actions);
  void On(const TimeWentBy& passed, Actions& actions);

  bool essential(ChildIndex child) const {
    return child < options_.essential_count;
  }
  void Start(ChildIndex child, Actions& actions);
  void WorkerEnded(ChildIndex index, WorkerStory story, Actions& actions);
  void Tell(ChildIndex dead, const WorkerStory& story, Actions& actions);
  void ForgetOldNews();
  void Stop(int exit_status, bool at_once, Actions& actions);
  void LookForHung(Actions& actions);
  void FinishIfAllGone(Actions& actions);

  const Options options_;
  absl::Time now_ = absl::InfinitePast();
  std::vector<Child> children_;
  std::deque<std::pair<absl::Time, WorkerStory>> news_;  // oldest first
  bool all_ready_ = false;
  bool stopping_ = false;
  bool leaving_ = false;
  absl::Time leave_until_ = absl::InfiniteFuture();
  bool finished_ = false;
  int exit_status_ = 0;
  absl::Time farewell_at_ = absl::InfiniteFuture();
  absl::Time kill_at_ = absl::InfiniteFuture();
  absl::Time look_at_ = absl::InfiniteFuture();  // for hung ones
};

}  // namespace hearth::worker
