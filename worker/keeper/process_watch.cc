#include "worker/keeper/process_watch.h"

#include <poll.h>

#include <utility>

#include "hearth/base/pidfd.h"

namespace hearth::worker {

ProcessWatch::~ProcessWatch() {
  for (const auto& [process, pidfd] : pidfds_) loop_.Remove(pidfd.get());
}

void ProcessWatch::Watch(pid_t process, UniqueFd pidfd) {
  if (pidfds_.contains(process)) return;
  if (!pidfd.valid()) pidfd = OpenPidfd(process);
  // No such process; or not a pidfd, or no room to wait for it: whoever hangs
  // his segments on that holds them no longer than that.
  if (!pidfd.valid() ||
      !loop_.Add(pidfd.get(), [this, process] { Ended(process); }).ok()) {
    on_ended_(process);
    return;
  }
  pidfds_.emplace(process, std::move(pidfd));
}

void ProcessWatch::Unwatch(pid_t process) {
  const auto found = pidfds_.find(process);
  if (found == pidfds_.end()) return;
  loop_.Remove(found->second.get());
  pidfds_.erase(found);
}

void ProcessWatch::Refresh(pid_t process) {
  const auto found = pidfds_.find(process);
  if (found == pidfds_.end()) return;
  pollfd ended{.fd = found->second.get(), .events = POLLIN, .revents = 0};
  if (poll(&ended, 1, 0) > 0) Ended(process);
}

void ProcessWatch::Ended(pid_t process) {
  Unwatch(process);
  on_ended_(process);
}

}  // namespace hearth::worker
