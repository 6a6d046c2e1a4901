#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/core/job_core.h"
#include "server/core/task.h"

namespace hearth::server {

// A task that a worker has and has not answered.
struct InFlight {
  TaskId id{};
  TaskKind kind = TaskKind::kCompute;
  Care care = Care::kNone;
  bool gone = false;  // answered or revoked; waits to be popped
  JobId job{};
  int round = 0;
  LeafRun run;
  absl::Time given_at;
};

// What one worker has to do, in the order in which it does it. The first
// thread_count are held to be running, the rest to be waiting.
//
// Kind: resource, single-threaded. Cost: O(log n) a task.
class WorkerLoad {
 public:
  WorkerLoad(std::string host, int thread_count)
      : host_(std::move(host)), thread_count_(std::max(thread_count, 1)) {}

  const std::string& host() const { return host_; }
  int thread_count() const { return thread_count_; }
  int count() const { return count_; }
  int waiting() const { return std::max(0, count_ - thread_count_); }
  bool hungry() const { return count_ < thread_count_; }
  int count(Care care) const {
    return by_care_[static_cast<std::size_t>(care)];
  }

  // Ids grow, so the tasks stay sorted.
  void Add(InFlight task) {
    ++count_;
    ++by_care_[static_cast<std::size_t>(task.care)];
    tasks_.push_back(task);
  }

  InFlight* Find(TaskId id) {
    const auto at = std::lower_bound(
        tasks_.begin(), tasks_.end(), id,
        [](const InFlight& task, TaskId wanted) { return task.id < wanted; });
    if (at == tasks_.end() || at->id != id || at->gone) return nullptr;
    return &*at;
  }

  std::optional<InFlight> Erase(TaskId id) {
    InFlight* task = Find(id);
    if (task == nullptr) return std::nullopt;
    const InFlight erased = *task;
    task->gone = true;
    --count_;
    --by_care_[static_cast<std::size_t>(erased.care)];
    while (!tasks_.empty() && tasks_.front().gone) tasks_.pop_front();
    while (!tasks_.empty() && tasks_.back().gone) tasks_.pop_back();
    return erased;
  }

  // Those it still has, oldest first.
  std::vector<InFlight> List() const {
    std::vector<InFlight> list;
    list.reserve(static_cast<std::size_t>(count_));
    for (const InFlight& task : tasks_) {
      if (!task.gone) list.push_back(task);
    }
    return list;
  }

  // The newest `most` of those that wait.
  std::vector<InFlight> NewestWaiting(int most) const {
    std::vector<InFlight> list;
    most = std::min(most, waiting());
    for (auto at = tasks_.rbegin();
         at != tasks_.rend() && std::ssize(list) < most; ++at) {
      if (!at->gone) list.push_back(*at);
    }
    return list;
  }

  // How much longer than the mean of all workers it takes for a leaf.
  double slowness() const { return slowness_; }
  void NoteSlowness(double ratio) {
    slowness_ = std::clamp(0.5 * slowness_ + 0.5 * ratio, 0.1, 1000.0);
  }

  bool draining = false;             // gets nothing new
  std::optional<JobId> empties_for;  // gets nothing new until it is empty, then
                                     // that job's work with Care::kAlone

 private:
  std::string host_;
  int thread_count_;
  int count_ = 0;
  double slowness_ = 1;
  int by_care_[kCareCount] = {};
  std::deque<InFlight> tasks_;
};

}  // namespace hearth::server
