#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "hearth/base/address.h"
#include "hearth/base/clock.h"
#include "hearth/transport/security/tcp_security.h"

namespace hearth::worker {

struct WorkerServerOptions {
  Address coordinator;
  TcpSecurityOptions security;  // of every TCP connection
  // Where other hosts read this one's segments, and what they are told of it;
  // nothing: this worker serves no other host.
  std::optional<Address> listen = {};
  std::string advertise = {};  // host, or host:port
  Address keeper;              // where segments are deposited and fetched
  std::string slot;            // this seat's name at its keeper
  int threads = 1;
  // The coordinator has welcomed this worker, for the first time.
  std::function<void()> on_ready = [] {};
};

// One worker: the queue's core, the threads that carry out its steps, and the
// stream to the coordinator.
//
// Kind:    resource; neither moves nor copies. Its destructor stops the threads
//          between two row blocks.
// Threads: Run from one; ReportStory from any.
class WorkerServer {
 public:
  WorkerServer(WorkerServerOptions options, const Clock& clock);
  ~WorkerServer();

  // Serves until the coordinator refuses this worker or stays unreachable for
  // ten seconds; never OK.
  absl::Status Run();

  // How a sibling ended, for the coordinator.
  void ReportStory(std::int64_t pid, const std::string& text);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth::worker
