#include "server/core/locality.h"

#include <algorithm>

namespace hearth::server {
namespace {

// The first stream between two hosts connects, and finds its pace.
constexpr double kFirstStreamSeconds = 0.05;

// What is expected is never quite what happens: a crossing that would barely
// pay is left alone.
constexpr double kMargin = 2;

}  // namespace

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
                       leaf * static_cast<double>(crossing.task_leaves) +
                       (is_measured_ ? 0 : kFirstStreamSeconds);
  const double here = leaf * static_cast<double>(crossing.leaves_left) /
                      std::max(1, crossing.home_threads);
  return kMargin * there < here;
}

}  // namespace hearth::server
