// Clusters on other hosts, started, looked at and ended over ssh.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/launch/ssh/hosts_file.h"

namespace hearth::client {

// What a node of the cluster proves itself with: PEM texts.
struct NodeCredentials {
  std::string authority;
  std::string certificate;
  std::string key;
};

// How one host came out of it.
struct HostStart {
  std::string host;
  bool touched = false;  // false: nothing was put there under this name
  bool ready = false;
  bool coordinator = false;
  int workers = 0;
  std::vector<int> pids;  // there: the keeper's first, then its workers'
  bool brought = false;   // the binary
  std::string found;      // ready: another hearth there; else what went wrong
};

struct StartOptions {
  std::string id;
  std::string ssh;  // HEARTH_SSH; empty: ssh
  std::vector<HostLine> hosts;
  std::string binary;  // path of the one to bring
  std::string version;
  bool insecure = false;
  // Asked once a host, when it wants them.
  std::function<absl::StatusOr<NodeCredentials>()> credentials;
  // As each host gets ready or fails.
  std::function<void(const HostStart&)> on_host;
  int interrupt_fd = -1;  // readable: stop where you are
};

struct StartResult {
  std::string address;  // of the coordinator; empty: there is none
  int coordinator_pid = 0;
  std::vector<HostStart> hosts;  // in the order of the file
  bool interrupted = false;
};

// Starts a coordinator on the first host that can and workers on all, in
// parallel. What it started stays when a host fails, and when it is
// interrupted: EndOnHosts takes it down.
//
// Fails: file-missing where `binary` can't be read; what happens on the hosts
//        stands in the result.
absl::StatusOr<StartResult> StartOnHosts(const StartOptions& options);

struct HostEnd {
  std::string host;
  int gone = 0;       // clusters that were there
  std::string found;  // empty: nothing is left
};

struct HostsOptions {
  std::string ssh;
  std::vector<std::string> hosts;
  int interrupt_fd = -1;
};

// Ends the clusters `ids` (empty: every one of this user) on each host.
std::vector<HostEnd> EndOnHosts(const HostsOptions& options,
                                const std::vector<std::string>& ids);

struct HostLook {
  std::string host;
  std::string found;  // why it can't be said; empty: what follows holds
  bool here = false;  // the cluster has its directory there
  bool coordinator = false;
  bool workers = false;  // their keeper runs
  int asked = 0;
  std::vector<int> pids;  // of the workers
  std::string keeper;     // as `hearth workers` names the host
  std::string version;
  std::int64_t since_seconds = 0;
};

std::vector<HostLook> LookAtHosts(const HostsOptions& options,
                                  absl::string_view id);

}  // namespace hearth::client
