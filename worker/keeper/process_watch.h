#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <set>

#include "hearth/base/unique_fd.h"
#include "worker/keeper/event_loop.h"

namespace hearth::worker {

// Tells once when a process that isn't ours to wait for has ended, by pidfd: a
// number that is given out again can't deceive it.
//
// Kind:    resource. Single-threaded.
class ProcessWatch {
 public:
  ProcessWatch(EventLoop& loop, std::function<void(pid_t)> on_ended)
      : loop_(loop), on_ended_(std::move(on_ended)) {}
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  // `on_ended` may run at once, for a process that is gone already. Without a
  // pidfd, one is opened; where there is no room for it now, by TryAgain(): a
  // process that can't be watched has not ended for that.
  void Watch(pid_t process, UniqueFd pidfd);
  void Unwatch(pid_t process);
  void TryAgain();

  // A process known under this number that has ended meanwhile is told now,
  // before its successor is spoken of.
  void Refresh(pid_t process);

 private:
  // False where it can't be known now.
  bool TryWatch(pid_t process, UniqueFd pidfd);
  void Ended(pid_t process);

  EventLoop& loop_;
  const std::function<void(pid_t)> on_ended_;
  std::map<pid_t, UniqueFd> pidfds_;
  std::set<pid_t> unwatched_;
};

}  // namespace hearth::worker
