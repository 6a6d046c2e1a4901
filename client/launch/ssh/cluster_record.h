#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/launch/ssh/hosts_file.h"

namespace hearth::client {

// What this machine remembers of a cluster that it started over ssh: enough to
// find and end it, and no secret. Written before anything is started, so that
// whatever there is can be taken down, however the launcher ended.
//
// Kind: value.
struct ClusterRecord {
  std::string id;       // in the names of its directories
  std::string address;  // of its coordinator; empty: not up yet
  std::string coordinator_host;
  std::string version;
  std::string tls_dir;  // absolute; empty: insecure
  std::string ssh;      // HEARTH_SSH then, for who has it not now
  std::int64_t since_seconds = 0;
  // Who is starting it: a pid and when that began, so that no other process
  // is taken for it. 0: it is up.
  int launcher_pid = 0;
  std::uint64_t launcher_ticks = 0;
  std::vector<HostLine> hosts;
  // Of these, the ones that never answered: nothing was put there.
  std::vector<std::string> untouched;

  std::string ToJson() const;
  static absl::StatusOr<ClusterRecord> FromJson(absl::string_view text);

  friend bool operator==(const ClusterRecord&, const ClusterRecord&) = default;
};

// The records of one user, a file each.
//
// Kind: value; the files are the state.
class ClusterRecords {
 public:
  // In ${XDG_STATE_HOME:-~/.local/state}/hearth/clusters.
  //
  // Fails: file-missing where the user has no home.
  static absl::StatusOr<ClusterRecords> OfUser();
  explicit ClusterRecords(std::string directory)
      : directory_(std::move(directory)) {}

  const std::string& directory() const { return directory_; }

  // Whole or not at all, and on the disk when it returns. Fails: out-of-disk,
  // not-allowed.
  absl::Status Write(const ClusterRecord& record) const;
  absl::Status Remove(absl::string_view id) const;
  // Oldest first. Takes away what a writer that was killed left. Fails:
  // bad-file, naming it.
  absl::StatusOr<std::vector<ClusterRecord>> List() const;

 private:
  std::string PathOf(absl::string_view id) const;
  std::string directory_;
};

// When a process began, in the kernel's ticks; 0 where it has ended.
std::uint64_t StartTicksOf(int pid);

}  // namespace hearth::client
