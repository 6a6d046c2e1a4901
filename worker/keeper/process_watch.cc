#include "worker/keeper/process_watch.h"

#include <poll.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "hearth/base/pidfd.h"

namespace hearth::worker {

ProcessWatch::~ProcessWatch() {
  for (const auto& [process, pidfd] : pidfds_) loop_.Remove(pidfd.get());
}

void ProcessWatch::Watch(pid_t process, UniqueFd pidfd) {
  if (pidfds_.contains(process) || unwatched_.contains(process)) return;
  if (!TryWatch(process, std::move(pidfd))) unwatched_.insert(process);
}

void ProcessWatch::TryAgain() {
  for (const pid_t process : std::exchange(unwatched_, {})) {
    Watch(process, UniqueFd());
  }
}

bool ProcessWatch::TryWatch(pid_t process, UniqueFd pidfd) {
  if (!pidfd.valid()) pidfd = OpenPidfd(process);
  if (!pidfd.valid() && errno != ESRCH) return false;
  const absl::Status added =
      pidfd.valid()
          ? loop_.Add(pidfd.get(), [this, process] { Ended(process); })
          : absl::OkStatus();
  // What can't be waited for is no pidfd: whoever hangs his segments on that
  // holds them no longer than that.
  if (!pidfd.valid() || absl::IsPermissionDenied(added)) {
    on_ended_(process);
    return true;
  }
  if (added.ok()) pidfds_.emplace(process, std::move(pidfd));
  return added.ok();
}

void ProcessWatch::Unwatch(pid_t process) {
  unwatched_.erase(process);
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
