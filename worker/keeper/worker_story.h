#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/base/id.h"

namespace hearth::worker {

// How one worker process ended, told by the keeper that waited on it.
//
// Kind:    value. Travels as bytes between keeper and workers, as its sentence
//          to people.
struct WorkerStory {
  enum class End : std::uint8_t { kExited = 0, kSignalled = 1 };

  std::uint32_t slot = 0;  // place in this keeper, 0-based; kept by successors
  Id id;                   // of this one process
  std::int32_t pid = 0;
  End end = End::kExited;
  std::int32_t code = 0;       // exit status, or signal number
  std::int64_t lived_ms = 0;   // from exec to end
  bool out_of_memory = false;  // the kernel counted an OOM kill just then
  bool given_up = false;       // crashed too often: no successor is started
  bool hung = false;           // its keeper killed it, as it had fallen silent
  std::vector<std::string> last_lines;  // of its standard error, oldest first

  // "worker 2 (pid 123) was killed by signal 9 (SIGKILL) after 1.5s; the kernel
  // counted an out-of-memory kill just then". Without the lines. `subject`: of
  // a child that is no worker.
  std::string Sentence(absl::string_view subject = "") const;

  std::string Encode() const;
  // Fails: internal, for bytes that Encode did not write.
  // The sentence, and its last words if it had any.
  std::string WithLastWords() const;
  static absl::StatusOr<WorkerStory> Decode(absl::string_view bytes);

  friend bool operator==(const WorkerStory&, const WorkerStory&) = default;
};

}  // namespace hearth::worker
