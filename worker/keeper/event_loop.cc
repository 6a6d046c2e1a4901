#include "worker/keeper/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <limits>

#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth::worker {

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  // Without its one epoll a keeper can do nothing, not even report.
  if (!epoll_.valid()) std::abort();
}

absl::Status EventLoop::Add(int fd, Callback callback) {
  // A number may be closed and given out again within one round of events, so
  // an event says which registration it belongs to.
  const std::uint32_t key = ++last_key_;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.u64 = static_cast<std::uint64_t>(static_cast<std::uint32_t>(fd)) |
                   static_cast<std::uint64_t>(key) << 32;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    if (errno == ENOSPC) {
      return Error(Reason::kTooLarge,
                   "watch a descriptor: this user's processes watch as many as "
                   "they may; raise fs.epoll.max_user_watches");
    }
    return ErrnoStatus("watch a descriptor");
  }
  entries_[fd] = {key, std::move(callback)};
  return absl::OkStatus();
}

void EventLoop::Remove(int fd) {
  if (entries_.erase(fd) == 0) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::RunOnce(std::optional<absl::Duration> patience) {
  int patience_ms = -1;
  if (patience.has_value()) {
    // Rounded up: waking a little early would spin.
    const std::int64_t whole = absl::ToInt64Milliseconds(
        std::max(*patience, absl::ZeroDuration()) + absl::Microseconds(999));
    patience_ms = static_cast<int>(
        std::min<std::int64_t>(whole, std::numeric_limits<int>::max()));
  }
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_.get(), events.data(),
                               static_cast<int>(events.size()), patience_ms);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t data = events[static_cast<std::size_t>(i)].data.u64;
    const auto found = entries_.find(static_cast<int>(data & 0xffffffffu));
    if (found == entries_.end() || found->second.key != data >> 32) {
      continue;
    }
    const Callback callback = found->second.callback;
    callback();
  }
}

}  // namespace hearth::worker
