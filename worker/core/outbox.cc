#include "worker/core/outbox.h"

#include <utility>

namespace hearth::worker {
namespace {

std::size_t InlineBytesOf(const Report& report) {
  std::size_t bytes = 0;
  if (const auto* commit = std::get_if<Commit>(&report)) {
    bytes = commit->partial.inline_bytes.size();
  } else if (const auto* ready = std::get_if<PlanReady>(&report)) {
    bytes = ready->plan.description.size();
  } else if (const auto* done = std::get_if<FinishDone>(&report)) {
    if (done->next_state.has_value()) {
      bytes += done->next_state->inline_bytes.size();
    }
    for (const BytesRef& result : done->results) {
      bytes += result.inline_bytes.size();
    }
  }
  return bytes;
}

}  // namespace

void Outbox::Add(Report report, absl::Time now) {
  if (gathering_.empty()) gathering_since_ = now;
  gathering_bytes_ += InlineBytesOf(report);
  gathering_.push_back(std::move(report));
}

bool Outbox::IsDue(absl::Time now) const {
  if (!connected_ || gathering_.empty()) return false;
  return gathering_.size() >= options_.batch_reports_max ||
         gathering_bytes_ >= options_.batch_bytes_max || now >= flush_at();
}

absl::Time Outbox::flush_at() const {
  if (!connected_ || gathering_.empty()) return absl::InfiniteFuture();
  return gathering_since_ + options_.wait_max;
}

std::optional<Outbox::Batch> Outbox::Flush() {
  if (!connected_ || gathering_.empty()) return std::nullopt;
  sent_.push_back({next_sequence_++, std::exchange(gathering_, {})});
  gathering_bytes_ = 0;
  return sent_.back();
}

std::vector<Outbox::Batch> Outbox::Unacknowledged() const {
  return {sent_.begin(), sent_.end()};
}

void Outbox::Acknowledge(std::uint64_t sequence) {
  while (!sent_.empty() && sent_.front().sequence <= sequence) {
    sent_.pop_front();
  }
}

}  // namespace hearth::worker
