#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/base/id.h"
#include "hearth/base/unique_fd.h"
#include "worker/keeper/lifeline_message.h"
#include "worker/keeper/worker_story.h"

namespace hearth::worker {

// The descriptor on which every child of a keeper finds its lifeline.
inline constexpr int kLifelineFd = 3;

// A child's end of the socket to its keeper. While the keeper lives, it carries
// a few words; when the keeper is gone, however it died, it ends, and the child
// with it.
//
// Kind:    resource; neither moves nor copies. Destroying it stops the watch.
// Threads: Ready() and Leaving() from any. The callbacks run on the one thread
// that
//          StartWatching starts and the destructor joins.
class WorkerLifeline {
 public:
  // What the keeper says first.
  struct Hello {
    Id id;                   // this process's own, new at every start
    std::uint32_t slot = 0;  // 0-based, the same as its predecessors'
    std::vector<WorkerStory> predecessors;  // of this slot, oldest first
  };

  struct Callbacks {
    // A sibling died: tell the coordinator. Its own successor knows it too, so
    // whoever collects stories counts each `id` once.
    std::function<void(const WorkerStory&)> on_story = [](auto&) {};
    // This host is to end: hand over, then exit with status 0.
    std::function<void()> on_leave = [] {};
    // The keeper is gone. When it returns, or if it is empty, the whole process
    // group is killed: the worker and what it started.
    std::function<void()> on_keeper_gone = {};
  };

  // Takes the descriptor over and waits for the keeper's first words.
  //
  // Fails: internal when `fd` is no lifeline (a child started by hand);
  //        deadline-exceeded when the keeper stays silent for 5 s.
  static absl::StatusOr<std::unique_ptr<WorkerLifeline>> Take(UniqueFd fd);
  ~WorkerLifeline();

  const Hello& hello() const { return hello_; }

  // From here on the process does not outlive its keeper, and says to it once a
  // second that it runs: one that falls silent is killed (limits.h).
  void StartWatching(Callbacks callbacks);

  // This child can take work. `note` is for KeeperOptions::on_ready: the
  // address it listens at; at most 1 KiB.
  absl::Status Ready(absl::string_view note = "");
  // Asked to leave, and still at it; or done, and this is what is lost.
  absl::Status Leaving(absl::string_view lost = "");

 private:
  class Watch;
  WorkerLifeline(UniqueFd fd, Hello hello);
  absl::Status Say(LifelineVerb verb, absl::string_view text);

  UniqueFd fd_;
  Hello hello_;
  std::unique_ptr<Watch> watch_;
};

}  // namespace hearth::worker
