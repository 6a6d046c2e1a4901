#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
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
// run (dropped) or takes the place of those inside it. Where partials don't
// exist (concatenating jobs) neighbours are simply joined.
//
// Kind: resource, single-threaded. Cost: O(log n) a commit, amortised.
class Cover {
 public:
  Cover() = default;
  Cover(std::int64_t leaf_count, bool has_partials)
      : leaf_count_(leaf_count), has_partials_(has_partials) {}

  // False when all of its leaves are committed already. Otherwise takes
  // `partial` (left alone else), and appends to `replaced` what it replaces.
  // Requires IsAligned(run).
  bool Accept(LeafRun run, BytesRef& partial, std::vector<BytesRef>& replaced);

  // Takes a run back whose partial is gone.
  std::optional<RunInput> Void(const Id& token);
  // Hands over everything and is empty then.
  std::vector<BytesRef> Clear();

  std::int64_t leaf_count() const { return leaf_count_; }
  std::int64_t leaves_done() const { return leaves_done_; }
  bool complete() const { return leaves_done_ == leaf_count_; }
  bool Covers(LeafRun run) const { return FirstGap(run).empty(); }
  std::vector<LeafRun> GapsIn(LeafRun run) const;

  // The committed runs inside `run`, in order.
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
  };
  using Entries = std::map<std::int64_t, Entry>;

  bool AcceptJoined(LeafRun run);
  // The first leaves of `run` that are not committed; empty when all are.
  LeafRun FirstGap(LeafRun run) const;
  Entries::const_iterator FirstAtOrBefore(std::int64_t leaf) const;

  std::int64_t leaf_count_ = 0;
  bool has_partials_ = true;
  std::int64_t leaves_done_ = 0;
  Entries entries_;
  absl::flat_hash_map<Id, std::int64_t> begin_by_token_;
};

}  // namespace hearth::server
