#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "hearth/matrix/run_tree.h"
#include "server/core/bytes_ref.h"
#include "server/core/task.h"

namespace hearth::server {

// The committed runs of one round: disjoint nodes of the tree, each with its
// partial. Every leaf is in at most one, whatever was committed twice.
//
// Nodes nest or are disjoint, so a new commit either lies inside a committed
// run (dropped) or takes the place of those inside it.
//
// Of a concatenating job most runs are written where they belong, and have no
// partial: neighbours are simply joined. One that was computed on another host
// has its rows in a partial until they are gathered, and is committed a second
// time then, without it.
//
// Kind: resource, single-threaded. Cost: O(log n) a commit, amortised.
class Cover {
 public:
  Cover() = default;
  Cover(std::int64_t leaf_count, bool concatenates)
      : leaf_count_(leaf_count), concatenates_(concatenates) {}

  // False when that is of no use any more. Otherwise takes
  // `partial` (left alone else), and appends to `replaced` what it replaces.
  // Requires IsAligned(run).
  bool Accept(LeafRun run, BytesRef& partial, std::vector<BytesRef>& replaced);

  // Takes a run back whose partial is gone.
  std::optional<RunInput> Void(const Id& token);
  // The same for all partials that this host had.
  std::vector<RunInput> VoidAt(const std::string& host);
  // Hands over everything and is empty then.
  std::vector<BytesRef> Clear();

  std::int64_t leaf_count() const { return leaf_count_; }
  std::int64_t leaves_done() const { return leaves_done_; }
  bool complete() const { return leaves_done_ == leaf_count_; }
  bool Covers(LeafRun run) const { return FirstGap(run).empty(); }
  std::vector<LeafRun> GapsIn(LeafRun run) const;

  // The committed runs inside `run`, in order; of a concatenating job those
  // alone that are still to be gathered.
  std::vector<RunInput> Collect(LeafRun run) const;

  // The lowest node above `run` that is all committed and weighs at least
  // `bytes_min` (a token weighs as much as `token_bytes`), or has `inputs_max`
  // runs: time to combine it. Never the root: finishing does that.
  std::optional<LeafRun> HeavyNodeAbove(LeafRun run, std::int64_t bytes_min,
                                        std::int64_t token_bytes,
                                        int inputs_max) const;

 private:
  struct Entry {
    std::int64_t end = 0;
    BytesRef partial;
    bool is_written() const { return partial.is_empty(); }
  };
  using Entries = std::map<std::int64_t, Entry>;

  bool AcceptPartial(LeafRun run, BytesRef& partial,
                     std::vector<BytesRef>& replaced);
  bool AcceptWritten(LeafRun run, std::vector<BytesRef>& replaced);
  // What was computed elsewhere, amid what is written.
  bool AcceptUngathered(LeafRun run, BytesRef& partial,
                        std::vector<BytesRef>& replaced);
  // The first leaves of `run` that are not committed; empty when all are.
  LeafRun FirstGap(LeafRun run) const;
  Entries::const_iterator FirstAtOrBefore(std::int64_t leaf) const;
  Entries::iterator FirstThatEndsAfter(std::int64_t leaf);
  Entries::iterator Erase(Entries::iterator entry);

  std::int64_t leaf_count_ = 0;
  bool concatenates_ = false;
  std::int64_t leaves_done_ = 0;
  Entries entries_;
  absl::flat_hash_map<Id, std::int64_t> begin_by_token_;
};

}  // namespace hearth::server
