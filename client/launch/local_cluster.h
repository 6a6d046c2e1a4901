#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "hearth/base/unique_fd.h"

namespace hearth::client {

struct LaunchOptions {
  int workers = 0;     // 0: one a core
  int threads = 0;     // of a worker; 0: cores / workers, at least 1
  std::string binary;  // empty: FindHearthProgram()
};

// A cluster of this process's own: `hearth local`, exec'ed, hanging on a
// lifeline. However this process ends, kill -9 included, the kernel closes its
// end of the lifeline and the cluster goes with it.
//
// Kind:    resource; its destructor ends the cluster and waits for it.
// Threads: const methods from any.
class LocalCluster {
 public:
  // Returns once the processes are on their way, not once they are ready: the
  // address can be connected to at once.
  static absl::StatusOr<std::unique_ptr<LocalCluster>> Start(
      const LaunchOptions& options);
  ~LocalCluster();

  const std::string& address() const { return address_; }
  // What the cluster said before it ended, its last line; empty if nothing.
  std::string LastWords() const;

 private:
  LocalCluster() = default;

  std::string address_;
  pid_t pid_ = -1;
  UniqueFd lifeline_;
  UniqueFd log_;
};

// Lets the keepers of this process's clusters run, should somebody have stopped
// them: so that they see that it ends, and end, too. For who is about to
// _exit. Threads: any.
void WakeLocalClusters();

}  // namespace hearth::client
