#include "worker/core/ledger.h"

#include <algorithm>

namespace hearth::worker {

void Ledger::Add(const Commit& commit) {
  const auto [found, is_new] = jobs_.try_emplace(commit.job);
  Entry& entry = found->second;
  if (is_new) {
    entry.used = by_use_.insert(by_use_.end(), commit.job);
  } else {
    by_use_.splice(by_use_.end(), by_use_, entry.used);
  }
  if (entry.round != commit.round) {
    Clear(entry.commits);
    entry.round = commit.round;
  }
  auto at = entry.commits.lower_bound(commit.run.begin);
  while (at != entry.commits.end() && at->second.run.end <= commit.run.end) {
    at = Erase(entry.commits, at);
  }
  Commit kept = commit;
  kept.task = 0;
  kept.busy = {};
  kept.task_done = false;
  inline_bytes_ += kept.partial.inline_bytes.size();
  ++commit_count_;
  entry.commits.insert_or_assign(at, commit.run.begin, std::move(kept));
  while (by_use_.size() > 1 && (jobs_.size() > options_.jobs_max ||
                                inline_bytes_ > options_.inline_bytes_max ||
                                commit_count_ > options_.commits_max)) {
    Release(by_use_.front());
  }
  if (inline_bytes_ > options_.inline_bytes_max ||
      commit_count_ > options_.commits_max) {
    Release(commit.job);
  }
}

Ledger::Commits::iterator Ledger::Erase(Commits& commits,
                                        Commits::iterator at) {
  inline_bytes_ -= at->second.partial.inline_bytes.size();
  --commit_count_;
  return commits.erase(at);
}

void Ledger::Clear(Commits& commits) {
  for (auto at = commits.begin(); at != commits.end();) {
    at = Erase(commits, at);
  }
}

void Ledger::BeginRound(std::uint64_t job, int round) {
  const auto found = jobs_.find(job);
  if (found != jobs_.end() && found->second.round != round) Release(job);
}

void Ledger::Release(std::uint64_t job) {
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return;
  Clear(found->second.commits);
  by_use_.erase(found->second.used);
  jobs_.erase(found);
}

void Ledger::Drop(std::span<const Id> tokens) {
  for (auto& [job, entry] : jobs_) {
    for (auto at = entry.commits.begin(); at != entry.commits.end();) {
      const BytesRef& partial = at->second.partial;
      const bool is_gone =
          partial.has_token() && std::find(tokens.begin(), tokens.end(),
                                           partial.token) != tokens.end();
      at = is_gone ? Erase(entry.commits, at) : std::next(at);
    }
  }
}

std::vector<Commit> Ledger::List() const {
  std::vector<Commit> list;
  list.reserve(commit_count_);
  for (const auto& [job, entry] : jobs_) {
    for (const auto& [begin, commit] : entry.commits) list.push_back(commit);
  }
  return list;
}

}  // namespace hearth::worker
