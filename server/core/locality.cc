#include "server/core/locality.h"

#include <algorithm>

namespace hearth::server {

void Locality::NoteStream(std::int64_t streamed, absl::Duration busy) {
  const double seconds = absl::ToDoubleSeconds(busy);
  if (streamed <= 0 || seconds <= 0) return;
  const double now = static_cast<double>(streamed) / seconds;
  bytes_per_second_ = is_measured_ ? 0.8 * bytes_per_second_ + 0.2 * now : now;
  bytes_per_second_ = std::max(bytes_per_second_, 1.0);
  is_measured_ = true;
}

bool Locality::Pays(const Crossing& crossing) const {
  const double leaf = absl::ToDoubleSeconds(crossing.leaf_time);
  const double there = static_cast<double>(crossing.bytes) / bytes_per_second_ +
                       leaf * static_cast<double>(crossing.task_leaves);
  const double here = leaf * static_cast<double>(crossing.leaves_left) /
                      std::max(1, crossing.home_threads);
  return there < here;
}

}  // namespace hearth::server
