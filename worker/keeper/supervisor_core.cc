#include "worker/keeper/supervisor_core.h"

#include <algorithm>
#include <utility>

#include "hearth/base/limits.h"

namespace hearth::worker {
namespace {

constexpr absl::Duration kFirstBackOff = absl::Milliseconds(100);
constexpr absl::Duration kCrashWindow = absl::Minutes(1);

// A worker that crashes now and then for weeks must not grow a history.
constexpr std::size_t kStoriesKept = 8;

// What kills one worker often kills those who would tell of it, so a story is
// repeated for this long to whoever comes.
constexpr absl::Duration kNewsAge = absl::Seconds(10);

// When no worker is left, a coordinator beside them has this long to tell its
// clients why.
constexpr absl::Duration kFarewell = absl::Seconds(1);

// Workers that leave say so every second, for as long as their coordinator
// hears them.
constexpr absl::Duration kLeaveSilence = absl::Seconds(10);

// Between two looks for a hung one. Those that are alive say so as often, and
// what they said meanwhile has been heard before.
constexpr absl::Duration kLookEvery = absl::Seconds(1);

bool Crashed(const WorkerStory& story) {
  return story.end == WorkerStory::End::kSignalled || story.code != 0;
}

int ExitStatusOf(const WorkerStory& story) {
  return story.end == WorkerStory::End::kSignalled ? 1 : story.code;
}

}  // namespace

SupervisorCore::SupervisorCore(Options options)
    : options_(options),
      children_(options.essential_count + options.worker_count) {}

std::vector<SupervisorAction> SupervisorCore::Handle(
    const SupervisorEvent& event, absl::Time now) {
  now_ = now;
  Actions actions;
  if (finished_) return actions;
  std::visit([&](const auto& one) { On(one, actions); }, event);
  return actions;
}

std::optional<absl::Time> SupervisorCore::next_wake() const {
  absl::Time wake = std::min(kill_at_, leave_until_);
  if (!stopping_ && !leaving_) {
    wake = std::min({wake, farewell_at_, look_at_});
    for (const Child& child : children_) {
      if (child.state == State::kWaiting) wake = std::min(wake, child.start_at);
    }
  }
  if (wake == absl::InfiniteFuture()) return std::nullopt;
  return wake;
}

void SupervisorCore::On(const Began&, Actions& actions) {
  for (ChildIndex child = 0; child < children_.size(); ++child) {
    Start(child, actions);
  }
  if (children_.empty()) {
    all_ready_ = true;
    actions.push_back(AllReady{});
  }
}

void SupervisorCore::On(const ChildSaidReady& said, Actions& actions) {
  Child& child = children_[said.child];
  if (child.state != State::kRunning || stopping_) return;
  child.ready = child.ready_once = true;
  ForgetOldNews();
  for (const auto& [ended_at, story] : news_) {
    // Its own predecessors it was told of at its start.
    const bool own = story.slot + options_.essential_count == said.child;
    if (!own) actions.push_back(TellStory{said.child, story});
  }
  if (all_ready_) return;
  all_ready_ = std::all_of(children_.begin(), children_.end(),
                           [](const Child& one) { return one.ready_once; });
  if (all_ready_) actions.push_back(AllReady{});
}

void SupervisorCore::On(const ChildEnded& ended, Actions& actions) {
  Child& child = children_[ended.child];
  child.ready = false;
  if (stopping_ || leaving_) {
    child.state = State::kDone;
    FinishIfAllGone(actions);
  } else if (essential(ended.child)) {
    child.state = State::kDone;
    if (Crashed(ended.story)) {
      actions.push_back(ReportEnd{ended.child, ended.story});
    }
    Stop(ExitStatusOf(ended.story), /*at_once=*/false, actions);
  } else {
    WorkerEnded(ended.child, ended.story, actions);
  }
}

void SupervisorCore::WorkerEnded(ChildIndex index, WorkerStory story,
                                 Actions& actions) {
  Child& child = children_[index];
  story.slot = index - options_.essential_count;
  if (!Crashed(story)) {
    child.state = State::kDone;
  } else {
    std::deque<absl::Time>& crashes = child.crashes;
    crashes.push_back(now_);
    while (crashes.front() <= now_ - kCrashWindow) crashes.pop_front();
    // One that said no before it was ever ready would say it again.
    const bool refused =
        !child.ready_once && story.end == WorkerStory::End::kExited;
    story.given_up = refused || crashes.size() >= limits::kCrashesPerMinuteMax;
    if (story.given_up) {
      child.state = State::kGivenUp;
    } else {
      child.state = State::kWaiting;
      child.start_at = now_ + kFirstBackOff * (1 << (crashes.size() - 1));
    }
    if (child.predecessors.size() == kStoriesKept) {
      child.predecessors.erase(child.predecessors.begin());
    }
    child.predecessors.push_back(story);
    actions.push_back(ReportEnd{index, story});
    Tell(index, story, actions);
  }
  const auto workers = children_.begin() + options_.essential_count;
  const auto over = [](const Child& one) {
    return one.state == State::kDone || one.state == State::kGivenUp;
  };
  if (!std::all_of(workers, children_.end(), over)) return;
  const bool any_given_up = std::any_of(
      workers, children_.end(),
      [](const Child& one) { return one.state == State::kGivenUp; });
  const int status = any_given_up ? 1 : 0;
  if (options_.essential_count == 0) {
    return Stop(status, /*at_once=*/false, actions);
  }
  farewell_at_ = now_ + kFarewell;
  exit_status_ = status;
}

void SupervisorCore::Tell(ChildIndex dead, const WorkerStory& story,
                          Actions& actions) {
  for (ChildIndex i = 0; i < children_.size(); ++i) {
    if (i != dead && children_[i].ready) {
      actions.push_back(TellStory{i, story});
    }
  }
  ForgetOldNews();
  if (news_.size() == kStoriesKept * children_.size()) news_.pop_front();
  news_.emplace_back(now_, story);
}

void SupervisorCore::ForgetOldNews() {
  while (!news_.empty() && news_.front().first <= now_ - kNewsAge) {
    news_.pop_front();
  }
}

void SupervisorCore::On(const StopAsked& asked, Actions& actions) {
  // Asked twice means now.
  Stop(asked.exit_status, asked.at_once || stopping_ || leaving_, actions);
}

void SupervisorCore::On(const LeaveAsked&, Actions& actions) {
  const bool is_new = !leaving_ && !stopping_;
  const bool anybody = std::any_of(children_.begin(), children_.end(),
                                   [](const Child& one) { return one.ready; });
  if (!is_new || !anybody) return Stop(0, /*at_once=*/!is_new, actions);
  leaving_ = true;
  leave_until_ = now_ + kLeaveSilence;
  for (ChildIndex i = 0; i < children_.size(); ++i) {
    Child& child = children_[i];
    if (child.state == State::kWaiting) child.state = State::kDone;
    if (child.state != State::kRunning) continue;
    if (child.ready) {
      actions.push_back(AskToLeave{i});
    } else {
      actions.push_back(TerminateChild{i});
    }
  }
}

void SupervisorCore::On(const ChildIsLeaving&, Actions&) {
  if (leaving_ && !stopping_) leave_until_ = now_ + kLeaveSilence;
}

void SupervisorCore::On(const ChildIsAlive& alive, Actions&) {
  if (essential(alive.child)) return;
  children_[alive.child].silent_looks = 0;
  if (look_at_ == absl::InfiniteFuture()) look_at_ = now_ + kLookEvery;
}

void SupervisorCore::LookForHung(Actions& actions) {
  look_at_ = absl::InfiniteFuture();
  for (ChildIndex i = options_.essential_count; i < children_.size(); ++i) {
    Child& child = children_[i];
    if (child.state != State::kRunning || !child.silent_looks.has_value()) {
      continue;
    }
    look_at_ = now_ + kLookEvery;
    if (++*child.silent_looks < limits::kSilentLooksMax) continue;
    child.silent_looks = 0;
    actions.push_back(KillHungChild{i});
  }
}

void SupervisorCore::On(const TimeWentBy&, Actions& actions) {
  if (leaving_ && !stopping_) {
    if (now_ >= leave_until_) Stop(0, /*at_once=*/false, actions);
    return;
  }
  if (stopping_) {
    if (now_ >= kill_at_) Stop(exit_status_, /*at_once=*/true, actions);
    return;
  }
  if (now_ >= farewell_at_) {
    return Stop(exit_status_, /*at_once=*/false, actions);
  }
  if (now_ >= look_at_) LookForHung(actions);
  for (ChildIndex i = 0; i < children_.size(); ++i) {
    const Child& child = children_[i];
    if (child.state == State::kWaiting && child.start_at <= now_) {
      Start(i, actions);
    }
  }
}

void SupervisorCore::Start(ChildIndex index, Actions& actions) {
  Child& child = children_[index];
  child.state = State::kRunning;
  child.start_at = absl::InfiniteFuture();
  child.silent_looks.reset();
  actions.push_back(StartChild{index, child.predecessors});
}

void SupervisorCore::Stop(int exit_status, bool at_once, Actions& actions) {
  if (!stopping_) exit_status_ = exit_status;
  stopping_ = true;
  leave_until_ = absl::InfiniteFuture();
  kill_at_ = at_once ? absl::InfiniteFuture() : now_ + options_.grace;
  for (ChildIndex i = 0; i < children_.size(); ++i) {
    Child& child = children_[i];
    if (child.state == State::kWaiting) child.state = State::kDone;
    if (child.state != State::kRunning) continue;
    if (at_once) {
      actions.push_back(KillChild{i});
    } else {
      actions.push_back(TerminateChild{i});
    }
  }
  FinishIfAllGone(actions);
}

void SupervisorCore::FinishIfAllGone(Actions& actions) {
  if (std::any_of(children_.begin(), children_.end(), [](const Child& one) {
        return one.state == State::kRunning;
      })) {
    return;
  }
  finished_ = true;
  actions.push_back(Finish{exit_status_});
}

}  // namespace hearth::worker
