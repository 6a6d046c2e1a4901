#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/base/mutex.h"
#include "hearth/base/unique_fd.h"

namespace hearth::worker {

struct PythonHostOptions {
  std::string python;                  // path, or a name on $PATH
  std::vector<std::string> arguments;  // of `python -m hearth._host`
  int threads = 1;                     // for the BLAS that it loads
};

// The Python process beside a worker, in which functions of clients run. One
// that crashes is started again: after 100 ms, doubling, and after a minute
// once it has crashed three times in one. It hangs on a pipe, and never
// outlives the worker.
//
// Kind:    resource; its destructor ends the process.
// Threads: Start and destroy from one; it has one that waits for the process.
class PythonHost {
 public:
  // Returns once the process can take work.
  //
  // Fails: file-missing when it can't be started, or ends before that.
  static absl::StatusOr<std::unique_ptr<PythonHost>> Start(
      PythonHostOptions options);
  ~PythonHost();

  pid_t pid() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return pid_;
  }

 private:
  explicit PythonHost(PythonHostOptions options)
      : options_(std::move(options)) {}
  absl::Status Launch() ABSL_LOCKS_EXCLUDED(mutex_);
  bool WaitUntilReady(int pipe) const;
  void Watch();
  // How it ended, as waitpid has it.
  int WaitForEnd(pid_t pid) ABSL_LOCKS_EXCLUDED(mutex_);
  // False: it was told to end.
  bool Pause(absl::Duration at_most) ABSL_LOCKS_EXCLUDED(mutex_);

  const PythonHostOptions options_;
  Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  pid_t pid_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: none runs
  UniqueFd lifeline_;                      // the process ends with it
  std::thread watch_;
};

}  // namespace hearth::worker
