#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hearth/base/unique_fd.h"

namespace hearth::worker {

// epoll with a function for each descriptor.
//
// Kind:    resource. Borrows the descriptors: Remove one before closing it.
// Threads: one.
class EventLoop {
 public:
  using Callback = std::function<void()>;

  EventLoop();

  // `callback` runs whenever `fd` is readable or its other end is gone. It may
  // add and remove any descriptor, its own too.
  absl::Status Add(int fd, Callback callback);
  void Remove(int fd);

  // Waits for one round of events, at most for `patience` (nothing: as long as
  // it takes), and runs their callbacks.
  void RunOnce(std::optional<absl::Duration> patience);

 private:
  struct Entry {
    std::uint32_t key = 0;
    Callback callback;
  };

  UniqueFd epoll_;
  std::map<int, Entry> entries_;  // by descriptor
  std::uint32_t last_key_ = 0;
};

}  // namespace hearth::worker
