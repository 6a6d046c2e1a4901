#include "server/core/cover.h"

#include <algorithm>
#include <utility>

namespace hearth::server {

Cover::Entries::const_iterator Cover::FirstAtOrBefore(std::int64_t leaf) const {
  auto after = entries_.upper_bound(leaf);
  return after == entries_.begin() ? after : std::prev(after);
}

Cover::Entries::iterator Cover::FirstThatEndsAfter(std::int64_t leaf) {
  auto at = entries_.upper_bound(leaf);
  if (at != entries_.begin() && std::prev(at)->second.end > leaf) --at;
  return at;
}

Cover::Entries::iterator Cover::Erase(Entries::iterator entry) {
  leaves_done_ -= entry->second.end - entry->first;
  if (entry->second.partial.has_token()) {
    begin_by_token_.erase(entry->second.partial.token);
  }
  return entries_.erase(entry);
}

bool Cover::Accept(LeafRun run, BytesRef& partial,
                   std::vector<BytesRef>& replaced) {
  if (!concatenates_) return AcceptPartial(run, partial, replaced);
  const bool is_written = partial.is_empty();
  return is_written ? AcceptWritten(run, replaced)
                    : AcceptUngathered(run, partial, replaced);
}

bool Cover::AcceptPartial(LeafRun run, BytesRef& partial,
                          std::vector<BytesRef>& replaced) {
  auto at = FirstThatEndsAfter(run.begin);
  // Nodes nest: one that begins here and ends earlier lies inside.
  if (at != entries_.end() && at->first <= run.begin &&
      at->second.end >= run.end) {
    return false;
  }
  while (at != entries_.end() && at->first < run.end) {
    replaced.push_back(at->second.partial);
    at = Erase(at);
  }
  if (partial.has_token()) begin_by_token_[partial.token] = run.begin;
  entries_.emplace_hint(at, run.begin, Entry{run.end, std::move(partial)});
  leaves_done_ += run.leaf_count();
  return true;
}

bool Cover::AcceptWritten(LeafRun run, std::vector<BytesRef>& replaced) {
  auto at = FirstThatEndsAfter(run.begin);
  // Written by whoever else had it, or on its way here as a part of more.
  if (at != entries_.end() && at->first <= run.begin &&
      at->second.end >= run.end &&
      (at->second.is_written() ||
       at->second.end - at->first > run.leaf_count())) {
    return false;
  }
  while (at != entries_.end() && at->first < run.end) {
    if (at->second.is_written()) {
      run.begin = std::min(run.begin, at->first);
      run.end = std::max(run.end, at->second.end);
    } else {
      replaced.push_back(at->second.partial);
    }
    at = Erase(at);
  }
  if (at != entries_.end() && at->first == run.end && at->second.is_written()) {
    run.end = at->second.end;
    at = Erase(at);
  }
  if (at != entries_.begin() && std::prev(at)->second.end == run.begin &&
      std::prev(at)->second.is_written()) {
    run.begin = std::prev(at)->first;
    at = Erase(std::prev(at));
  }
  entries_.emplace_hint(at, run.begin, Entry{run.end, {}});
  leaves_done_ += run.leaf_count();
  return true;
}

bool Cover::AcceptUngathered(LeafRun run, BytesRef& partial,
                             std::vector<BytesRef>& replaced) {
  if (Covers(run)) return false;
  auto at = FirstThatEndsAfter(run.begin);
  while (at != entries_.end() && at->first < run.end) {
    const LeafRun before{at->first, at->second.end};
    const bool was_written = at->second.is_written();
    if (!was_written) replaced.push_back(at->second.partial);
    at = Erase(at);
    if (!was_written) continue;  // a node inside this one
    // What is written twice has the same bits: the run gives way.
    for (const LeafRun rest :
         {LeafRun{before.begin, run.begin}, LeafRun{run.end, before.end}}) {
      if (rest.begin >= rest.end) continue;
      entries_.emplace(rest.begin, Entry{rest.end, {}});
      leaves_done_ += rest.leaf_count();
    }
  }
  if (partial.has_token()) begin_by_token_[partial.token] = run.begin;
  entries_.emplace(run.begin, Entry{run.end, std::move(partial)});
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

std::vector<RunInput> Cover::VoidAt(const std::string& host) {
  std::vector<Id> tokens;
  for (const auto& [begin, entry] : entries_) {
    if (entry.partial.has_token() && entry.partial.host == host) {
      tokens.push_back(entry.partial.token);
    }
  }
  std::vector<RunInput> voided;
  for (const Id& token : tokens) voided.push_back(*Void(token));
  return voided;
}

std::vector<BytesRef> Cover::Clear() {
  std::vector<BytesRef> partials;
  for (auto& [begin, entry] : entries_) {
    if (concatenates_ && entry.is_written()) continue;
    partials.push_back(std::move(entry.partial));
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
  for (auto at = entries_.lower_bound(run.begin);
       at != entries_.end() && at->first < run.end; ++at) {
    if (concatenates_ && at->second.is_written()) continue;
    inputs.push_back({{at->first, at->second.end}, at->second.partial});
  }
  return inputs;
}

std::optional<LeafRun> Cover::HeavyNodeAbove(LeafRun run,
                                             std::int64_t bytes_min,
                                             std::int64_t token_bytes,
                                             int inputs_max) const {
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
