#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
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
  // What the host's keeper may hold; 0: what the machine has.
  std::int64_t segment_bytes_max = 0;
  // The coordinator has welcomed this worker, for the first time.
  std::function<void()> on_ready = [] {};
  // It was asked to leave and is still at it: about once a second.
  std::function<void()> on_leaving = [] {};
};

// One worker: the queue's core, the threads that carry out its steps, and the
// stream to the coordinator.
//
// Kind:    resource; neither moves nor copies. Its destructor stops the threads
//          between two row blocks.
// Threads: Run from one; ReportStory and Leave from any.
class WorkerServer {
 public:
  WorkerServer(WorkerServerOptions options, const Clock& clock);
  ~WorkerServer();

  // Serves until the coordinator lets this worker go: what its host takes along
  // that nobody took over, or nothing. Fails when the coordinator refuses it or
  // stays unreachable for ten seconds.
  absl::StatusOr<std::string> Run();

  // The whole host is to end: asks the coordinator to let its workers go.
  void Leave();

  // How a sibling ended, for the coordinator.
  void ReportStory(std::int64_t pid, const std::string& text);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth::worker
