#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/time/time.h"
#include "server/core/ids.h"

namespace hearth::server {

// Whether a task crosses hosts: only if its bytes are there before the workers
// beside them would have got to it. Neither do idle workers fetch what a
// neighbour has nearly done, nor does everything queue where the bytes lie.
//
// How fast a host gets bytes is measured by the tasks that it was given. As
// long as nobody knows, one task finds out and the rest wait for what it finds:
// over a slow link, a guess by every host at once would cost more than the job.
//
// Kind: value, single-threaded.
class Locality {
 public:
  // A task that read `streamed` bytes from elsewhere took a thread of `host` so
  // long. It computed meanwhile, so this is less than what the link can do.
  // True: nothing was known of this host before.
  bool NoteStream(const std::string& host, std::int64_t streamed,
                  absl::Duration busy);

  // A task that crosses to `host`: the one that finds out, if that is unknown.
  void NoteCrossing(const std::string& host, TaskId task);
  // It was answered, or taken back.
  void NoteEnded(TaskId task);

  struct Crossing {
    std::int64_t bytes = 0;         // to be streamed for the task
    absl::Duration leaf_time = {};  // at home, measured
    std::int64_t task_leaves = 1;
    std::int64_t leaves_left = 0;  // of the job
    int home_threads = 1;
  };
  bool Pays(const std::string& host, const Crossing& crossing) const;

  // None: nothing was streamed to it yet.
  std::optional<double> MeasuredAt(const std::string& host) const;
  // What MeasuredAt says, or else what all the others get.
  double BytesPerSecond(const std::string& host) const;

 private:
  bool MayFindOut(const std::string& host) const;

  std::map<std::string, double> bytes_per_second_;  // by host
  std::optional<double> overall_;
  std::map<TaskId, std::string> finding_out_;
  std::set<std::string> hosts_finding_out_;
};

}  // namespace hearth::server
