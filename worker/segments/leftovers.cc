#include "worker/segments/leftovers.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace hearth::worker {
namespace {

bool IsDead(pid_t process) {
  // 0: of another pid namespace, where nobody here can tell.
  return process > 0 && kill(process, 0) != 0 && errno == ESRCH;
}

}  // namespace

std::vector<Id> Leftovers::Look() {
  const auto held = keeper_.List();
  if (!held.ok()) return {};
  std::set<Id> seen;
  std::vector<Id> again;
  for (const HeldSegment& segment : *held) {
    if (segment.is_ticket || !IsDead(segment.depositor_pid)) continue;
    if (seen_.contains(segment.token)) again.push_back(segment.token);
    seen.insert(segment.token);
  }
  seen_ = std::move(seen);
  return again;
}

std::vector<Id> Leftovers::Own() {
  const auto held = keeper_.List();
  if (!held.ok()) return {};
  std::vector<Id> own;
  for (const HeldSegment& segment : *held) {
    if (!segment.is_ticket && segment.depositor_pid == getpid()) {
      own.push_back(segment.token);
    }
  }
  return own;
}

}  // namespace hearth::worker
