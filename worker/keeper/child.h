#pragma once

#include <sys/types.h>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/base/id.h"
#include "hearth/base/unique_fd.h"
#include "worker/keeper/keeper.h"
#include "worker/keeper/log_tail.h"
#include "worker/keeper/worker_story.h"

namespace hearth::worker {

// A running child process and the keeper's ends of what connects them.
//
// Kind:    resource. Destroying it neither ends nor reaps the process.
class Child {
 public:
  // Execs `command`: in a process group of its own (a terminal's Ctrl-C is for
  // the keeper to pass on), with default signals, and no descriptor but those
  // that ChildCommand names.
  //
  // Fails: file-missing, or as posix_spawn says.
  static absl::StatusOr<Child> Start(const ChildCommand& command, const Id& id,
                                     absl::Time now);

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }        // readable: it ended
  int lifeline() const { return lifeline_.get(); }  // SOCK_SEQPACKET
  int log() const { return log_.get(); }            // its stdout and stderr

  // Takes what waits in the log; false when nothing more will ever come.
  bool ReadLog(bool echo);

  // To its whole process group.
  void Signal(int signal);

  // After pidfd() became readable: ends what the child started and left
  // behind, reaps it and tells how it ended.
  WorkerStory Reap(absl::Time now);

 private:
  Child() = default;

  Id id_;
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  UniqueFd lifeline_;
  UniqueFd log_;
  LogTail tail_;
  absl::Time started_;
};

}  // namespace hearth::worker
