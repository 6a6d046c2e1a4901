#include "hearth/object/object_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"

namespace hearth {

std::vector<ObjectAction> ObjectCore::Handle(const ObjectEvent& event,
                                             absl::Time now) {
  Actions actions;
  std::visit([&](const auto& one) { On(one, now, actions); }, event);
  return actions;
}

absl::Time ObjectCore::next_deadline() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [call, running] : running_) {
    if (!running.stopped) next = std::min(next, running.deadline);
  }
  for (const CallArrived& call : waiting_) next = std::min(next, call.deadline);
  return next;
}

bool ObjectCore::MayStart(const CallArrived& call) const {
  if (call.concurrent || exclusive_ == 0) return true;
  return std::all_of(running_.begin(), running_.end(), [&](const auto& entry) {
    const Running& running = entry.second;
    return running.concurrent ||
           (running.waits > 0 && running.chain == call.chain);
  });
}

void ObjectCore::Start(const CallArrived& call, absl::Time now,
                       Actions& actions) {
  running_[call.call] = {
      .chain = call.chain,
      .concurrent = call.concurrent,
      .idempotent = call.idempotent,
      .deadline = std::min(call.deadline, now + options_.call_time_max)};
  if (!call.concurrent) ++exclusive_;
  actions.push_back(StartCall{call.call});
}

void ObjectCore::StartWaiting(absl::Time now, Actions& actions) {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (!MayStart(*it)) {
      // Behind the first that has to wait, only one of a chain that is waited
      // for may pass.
      ++it;
      continue;
    }
    const CallArrived call = *it;
    it = waiting_.erase(it);
    Start(call, now, actions);
    if (!call.concurrent) return;
  }
}

void ObjectCore::On(const CallArrived& call, absl::Time now, Actions& actions) {
  if (ended_) {
    actions.push_back(RefuseCall{
        call.call, Error(Reason::kObjectGone,
                         absl::StrCat("call ", Quoted(options_.name),
                                      ": the object was taken away"))});
  } else if (MayStart(call)) {
    // Nobody is passed: whoever waits could not have started either.
    Start(call, now, actions);
  } else if (static_cast<int>(waiting_.size()) >= options_.waiting_max) {
    actions.push_back(RefuseCall{
        call.call,
        Error(
            Reason::kQueueFull,
            absl::StrCat("call ", Quoted(options_.name), ": ", waiting_.size(),
                         " calls wait for it already, as many as its class "
                         "allows; try again later"))});
  } else {
    waiting_.push_back(call);
  }
}

void ObjectCore::On(const CallEnded& event, absl::Time now, Actions& actions) {
  const auto found = running_.find(event.call);
  if (found == running_.end()) return;
  if (!found->second.concurrent) --exclusive_;
  running_.erase(found);
  StartWaiting(now, actions);
}

void ObjectCore::On(const CallWaits& event, absl::Time now, Actions& actions) {
  const auto found = running_.find(event.call);
  if (found == running_.end()) return;
  ++found->second.waits;
  StartWaiting(now, actions);
}

void ObjectCore::On(const CallGoesOn& event, absl::Time, Actions&) {
  const auto found = running_.find(event.call);
  if (found != running_.end() && found->second.waits > 0) {
    --found->second.waits;
  }
}

void ObjectCore::On(const CallCancelled& event, absl::Time, Actions& actions) {
  const absl::Status status =
      Error(Reason::kCallCancelled, absl::StrCat("call ", Quoted(options_.name),
                                                 ": its caller cancelled it"));
  const auto running = running_.find(event.call);
  if (running != running_.end()) {
    if (!std::exchange(running->second.stopped, true)) {
      actions.push_back(StopCall{event.call, status});
    }
    return;
  }
  const auto waiting =
      std::find_if(waiting_.begin(), waiting_.end(),
                   [&](const auto& call) { return call.call == event.call; });
  if (waiting == waiting_.end()) return;
  waiting_.erase(waiting);
  actions.push_back(RefuseCall{event.call, status});
}

void ObjectCore::On(const ObjectEnded&, absl::Time, Actions& actions) {
  ended_ = true;
  const absl::Status gone = Error(
      Reason::kObjectGone,
      absl::StrCat("call ", Quoted(options_.name),
                   ": the object was taken away; look its name up again"));
  const absl::Status unknown = Error(
      Reason::kOutcomeUnknown,
      absl::StrCat("call ", Quoted(options_.name),
                   ": the object was taken away while the method ran; look at "
                   "what it has done before you call again"));
  for (const CallArrived& call : waiting_) {
    actions.push_back(RefuseCall{call.call, gone});
  }
  waiting_.clear();
  for (auto& [call, running] : running_) {
    if (std::exchange(running.stopped, true)) continue;
    actions.push_back(StopCall{call, running.idempotent ? gone : unknown});
  }
}

void ObjectCore::On(const ObjectTimePassed&, absl::Time now, Actions& actions) {
  const auto late = [&](absl::string_view finding) {
    return Error(Reason::kDeadlineExceeded,
                 absl::StrCat("call ", Quoted(options_.name), ": ", finding));
  };
  std::erase_if(waiting_, [&](const CallArrived& call) {
    if (call.deadline > now) return false;
    actions.push_back(RefuseCall{
        call.call, late("its deadline passed before the object was free")});
    return true;
  });
  for (auto& [call, running] : running_) {
    if (running.stopped || running.deadline > now) continue;
    running.stopped = true;
    actions.push_back(StopCall{
        call, late("its time ran out while the method ran; what the method "
                   "did by then is done")});
  }
}

}  // namespace hearth
