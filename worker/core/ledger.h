#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <vector>

#include "worker/core/task.h"

namespace hearth::worker {

struct LedgerOptions {
  std::size_t jobs_max = 64;
  std::size_t inline_bytes_max = 64 * 1024 * 1024;
  std::size_t commits_max = 100'000;
};

// What this worker has committed of jobs that run still: a coordinator that was
// started again knows nothing of it, and is told all of it.
//
// Kind:  resource, single-threaded.
// Bound: LedgerOptions. What is forgotten is computed again; the jobs that were
//        committed to longest ago go first.
class Ledger {
 public:
  explicit Ledger(LedgerOptions options = {}) : options_(options) {}

  // A commit takes the place of those inside its run.
  void Add(const Commit& commit);
  // What was committed in another round is of no use any more.
  void BeginRound(std::uint64_t job, int round);
  void Release(std::uint64_t job);
  // Segments that are gone by the coordinator's own wish.
  void Drop(std::span<const Id> tokens);

  // Everything, by job and leaf. None is the answer to a task.
  std::vector<Commit> List() const;

  std::size_t commit_count() const { return commit_count_; }

 private:
  struct Entry {
    int round = 0;
    std::map<std::int64_t, Commit> commits;  // by the run's begin; disjoint
    std::list<std::uint64_t>::iterator used;
  };
  using Commits = std::map<std::int64_t, Commit>;
  Commits::iterator Erase(Commits& commits, Commits::iterator at);
  void Clear(Commits& commits);

  const LedgerOptions options_;
  std::map<std::uint64_t, Entry> jobs_;
  std::list<std::uint64_t> by_use_;  // the one committed to longest ago first
  std::size_t inline_bytes_ = 0;
  std::size_t commit_count_ = 0;
};

}  // namespace hearth::worker
