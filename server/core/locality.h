#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace hearth::server {

// Whether a task crosses hosts: only if its bytes are there before the workers
// beside them would have got to it. Neither do idle workers fetch what a
// neighbour has nearly done, nor does everything queue where the bytes lie.
//
// Kind: value, single-threaded.
class Locality {
 public:
  // A task that read `streamed` bytes from another host took a thread so long.
  // It computed meanwhile, so this is less than what the link can do.
  void NoteStream(std::int64_t streamed, absl::Duration busy);

  struct Crossing {
    std::int64_t bytes = 0;         // to be streamed for the task
    absl::Duration leaf_time = {};  // at home, measured
    std::int64_t task_leaves = 1;
    std::int64_t leaves_left = 0;  // of the job
    int home_threads = 1;
  };
  bool Pays(const Crossing& crossing) const;

  double bytes_per_second() const { return bytes_per_second_; }

 private:
  // Of a link that nobody has used yet: 10 Gbit/s, nearly.
  double bytes_per_second_ = 1e9;
  bool is_measured_ = false;
};

}  // namespace hearth::server
