#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/hearth.h"

namespace hearth::client {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;

// What every command was told: the options that stand on each of them.
//
// Kind: value, filled by the parser before a command runs.
struct Context {
  bool json = false;
  bool insecure = false;
  bool verbose = false;
  std::string cluster;  // --cluster, else HEARTH_CLUSTER; empty: embedded
  std::string tls_dir;

  // The cluster that was named, or an embedded one of `workers` workers that
  // ends with this command (0: one a core).
  absl::StatusOr<Cluster> OpenCluster(int workers = 0) const;
};

// The processes that this binary can be, besides a client. main/ wires them:
// the command line knows their options, never their insides.
struct LocalProcess {
  int workers = 0;
  int threads = 0;
  std::string memory;
  std::string listen;
  // From a launcher: ends with whoever holds the other end of the lifeline;
  // `listen_fd` already listens on `address`.
  int lifeline_fd = -1;
  int listen_fd = -1;
  std::string address;
};
struct CoordinatorProcess {
  std::string listen;
  std::string state_dir;
  std::string http;
  std::string http_token;  // a file; empty: see `hearth coordinator --help`
  bool child = false;      // of a keeper: finds its lifeline on descriptor 3
  int listen_fd = -1;
  std::string address;
  std::string keeper;  // whose child it is
};
struct WorkerProcess {
  std::string coordinator;
  int workers = 1;
  int threads = 0;
  std::string listen;
  std::string advertise;
  std::string memory;
  std::string runtime_dir;
  std::vector<std::string> plugins;
  bool allow_python = false;
  bool child = false;  // one worker of a keeper
  std::string keeper;  // and that keeper's handover address
};
// Each returns the exit status, but for `keeper`, which can't fail.
struct ProcessMains {
  std::function<absl::StatusOr<int>(const LocalProcess&, const Context&)> local;
  std::function<absl::StatusOr<int>(const CoordinatorProcess&, const Context&)>
      coordinator;
  std::function<absl::StatusOr<int>(const WorkerProcess&, const Context&)>
      worker;
  std::function<absl::StatusOr<int>(const WorkerProcess&, const Context&)>
      one_worker;
  std::function<int(int starter)> keeper;
};

}  // namespace hearth::client
