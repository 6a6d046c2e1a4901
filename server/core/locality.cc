#include "server/core/locality.h"

#include <algorithm>

namespace hearth::server {
namespace {

// Of links that nobody has used yet: 10 Gbit/s, nearly.
constexpr double kUnknownBytesPerSecond = 1e9;

// The first stream between two hosts connects, and finds its pace.
constexpr double kFirstStreamSeconds = 0.05;

// What is expected is never quite what happens: a crossing that would barely
// pay is left alone.
constexpr double kMargin = 2;

// A mean of about the last five.
double Blend(std::optional<double> before, double now) {
  return std::max(before.has_value() ? 0.8 * *before + 0.2 * now : now, 1.0);
}

}  // namespace

bool Locality::NoteStream(const std::string& host, std::int64_t streamed,
                          absl::Duration busy) {
  const double seconds = absl::ToDoubleSeconds(busy);
  if (streamed <= 0 || seconds <= 0) return false;
  const double now = static_cast<double>(streamed) / seconds;
  const std::optional<double> before = MeasuredAt(host);
  bytes_per_second_[host] = Blend(before, now);
  overall_ = Blend(overall_, now);
  return !before.has_value();
}

void Locality::NoteCrossing(const std::string& host, TaskId task) {
  if (MeasuredAt(host).has_value()) return;
  if (hosts_finding_out_.insert(host).second) finding_out_.emplace(task, host);
}

void Locality::NoteEnded(TaskId task) {
  const auto found = finding_out_.find(task);
  if (found == finding_out_.end()) return;
  hosts_finding_out_.erase(found->second);
  finding_out_.erase(found);
}

std::optional<double> Locality::MeasuredAt(const std::string& host) const {
  const auto found = bytes_per_second_.find(host);
  if (found == bytes_per_second_.end()) return std::nullopt;
  return found->second;
}

double Locality::BytesPerSecond(const std::string& host) const {
  return MeasuredAt(host).value_or(overall_.value_or(kUnknownBytesPerSecond));
}

bool Locality::MayFindOut(const std::string& host) const {
  return overall_.has_value() ? !hosts_finding_out_.contains(host)
                              : hosts_finding_out_.empty();
}

bool Locality::Pays(const std::string& host, const Crossing& crossing) const {
  const bool is_measured = MeasuredAt(host).has_value();
  if (!is_measured && !MayFindOut(host)) return false;
  const double leaf = absl::ToDoubleSeconds(crossing.leaf_time);
  const double there =
      static_cast<double>(crossing.bytes) / BytesPerSecond(host) +
      leaf * static_cast<double>(crossing.task_leaves) +
      (is_measured ? 0 : kFirstStreamSeconds);
  const double here = leaf * static_cast<double>(crossing.leaves_left) /
                      std::max(1, crossing.home_threads);
  return kMargin * there < here;
}

}  // namespace hearth::server
