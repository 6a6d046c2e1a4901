#include "server/core/cover.h"

#include <algorithm>
#include <utility>

namespace hearth::server {

Cover::Entries::const_iterator Cover::FirstAtOrBefore(std::int64_t leaf) const {
  auto after = entries_.upper_bound(leaf);
  return after == entries_.begin() ? after : std::prev(after);
}

bool Cover::Accept(LeafRun run, BytesRef& partial,
                   std::vector<BytesRef>& replaced) {
  if (!has_partials_) return AcceptJoined(run);
  auto at = entries_.upper_bound(run.begin);
  if (at != entries_.begin()) {
    const auto before = std::prev(at);
    if (before->second.end >= run.end) return false;
    // Nodes nest: one that begins here and ends earlier lies inside.
    if (before->first == run.begin) at = before;
  }
  while (at != entries_.end() && at->first < run.end) {
    leaves_done_ -= at->second.end - at->first;
    if (at->second.partial.has_token()) {
      begin_by_token_.erase(at->second.partial.token);
    }
    replaced.push_back(std::move(at->second.partial));
    at = entries_.erase(at);
  }
  if (partial.has_token()) begin_by_token_[partial.token] = run.begin;
  entries_.emplace_hint(at, run.begin, Entry{run.end, std::move(partial)});
  leaves_done_ += run.leaf_count();
  return true;
}

bool Cover::AcceptJoined(LeafRun run) {
  auto at = entries_.upper_bound(run.begin);
  if (at != entries_.begin()) {
    const auto before = std::prev(at);
    if (before->second.end >= run.end) return false;
    if (before->second.end >= run.begin) at = before;
  }
  while (at != entries_.end() && at->first <= run.end) {
    run.begin = std::min(run.begin, at->first);
    run.end = std::max(run.end, at->second.end);
    leaves_done_ -= at->second.end - at->first;
    at = entries_.erase(at);
  }
  entries_.emplace_hint(at, run.begin, Entry{run.end, {}});
  leaves_done_ += run.leaf_count();
  return true;
}

std::optional<RunInput> Cover::Void(const Id& token) {
  const auto known = begin_by_token_.find(token);
  if (known == begin_by_token_.end()) return std::nullopt;
  const auto entry = entries_.find(known->second);
  RunInput voided{{entry->first, entry->second.end},
                  std::move(entry->second.partial)};
  leaves_done_ -= voided.run.leaf_count();
  entries_.erase(entry);
  begin_by_token_.erase(known);
  return voided;
}

std::vector<BytesRef> Cover::Clear() {
  std::vector<BytesRef> partials;
  if (has_partials_) {
    partials.reserve(entries_.size());
    for (auto& [begin, entry] : entries_) {
      partials.push_back(std::move(entry.partial));
    }
  }
  entries_.clear();
  begin_by_token_.clear();
  leaves_done_ = 0;
  return partials;
}

LeafRun Cover::FirstGap(LeafRun run) const {
  auto at = FirstAtOrBefore(run.begin);
  std::int64_t leaf = run.begin;
  for (; leaf < run.end && at != entries_.end(); ++at) {
    if (at->first > leaf) break;
    leaf = std::max(leaf, at->second.end);
  }
  if (leaf >= run.end) return {run.end, run.end};
  const std::int64_t end = at == entries_.end() ? run.end : at->first;
  return {leaf, std::min(end, run.end)};
}

std::vector<LeafRun> Cover::GapsIn(LeafRun run) const {
  std::vector<LeafRun> gaps;
  while (!run.empty()) {
    const LeafRun gap = FirstGap(run);
    if (gap.empty()) break;
    gaps.push_back(gap);
    run.begin = gap.end;
  }
  return gaps;
}

std::vector<RunInput> Cover::Collect(LeafRun run) const {
  std::vector<RunInput> inputs;
  if (!has_partials_) return inputs;
  for (auto at = entries_.lower_bound(run.begin);
       at != entries_.end() && at->first < run.end; ++at) {
    inputs.push_back({{at->first, at->second.end}, at->second.partial});
  }
  return inputs;
}

std::optional<LeafRun> Cover::HeavyNodeAbove(LeafRun run,
                                             std::int64_t bytes_min,
                                             std::int64_t token_bytes,
                                             int inputs_max) const {
  if (!has_partials_) return std::nullopt;
  std::int64_t bytes = 0;
  int inputs = 0;
  // False at the first leaf that is not committed.
  const auto weigh = [&](LeafRun node) {
    auto at = entries_.find(node.begin);
    for (std::int64_t leaf = node.begin; leaf < node.end; ++at) {
      if (at == entries_.end() || at->first != leaf) return false;
      const BytesRef& partial = at->second.partial;
      bytes += partial.has_token()
                   ? token_bytes
                   : static_cast<std::int64_t>(partial.inline_bytes.size());
      ++inputs;
      leaf = at->second.end;
    }
    return true;
  };
  const LeafRun root{0, leaf_count_};
  if (!weigh(run)) return std::nullopt;
  while (run != root) {
    if (!weigh(SiblingOf(run, leaf_count_))) return std::nullopt;
    run = ParentOf(run, leaf_count_);
    if (run == root) return std::nullopt;
    if (bytes >= bytes_min || inputs >= inputs_max) return run;
  }
  return std::nullopt;
}

}  // namespace hearth::server
