#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "hearth/matrix/run_tree.h"

namespace hearth::server {

// Leaves that nobody computes yet, as disjoint runs of any length, called
// pieces here; handed out as nodes of the tree. Neighbours are joined where the
// queue is made so; else each run keeps its bounds.
//
// Kind: resource, single-threaded. Cost: O(log n) for n pieces, not leaves.
class WorkQueue {
 public:
  explicit WorkQueue(bool joins_neighbours) : joins_(joins_neighbours) {}

  bool empty() const { return pieces_.empty(); }
  std::int64_t leaf_count() const { return leaf_count_; }

  // Leaves that are there already stay there once.
  void Add(LeafRun run) {
    Remove(run);
    leaf_count_ += run.leaf_count();
    if (joins_) {
      bool has_reader = false;
      auto after = pieces_.find(run.end);
      if (after != pieces_.end()) {
        run.end = after->second.end;
        Erase(after);
      }
      auto before = pieces_.lower_bound(run.begin);
      if (before != pieces_.begin() && (--before)->second.end == run.begin) {
        run.begin = before->first;
        has_reader = before->second.has_reader;
        Erase(before);
      }
      return Insert(run, has_reader);
    }
    Insert(run, false);
  }

  // The first leaves: a node of at most `leaves_max` of them, at least one.
  std::optional<LeafRun> Take(std::int64_t leaves_max,
                              std::int64_t leaf_count_of_job) {
    if (empty()) return std::nullopt;
    return TakeFrom(pieces_.begin(), pieces_.begin()->first, leaves_max,
                    leaf_count_of_job);
  }

  // For one of `readers` of a file, each of which should stay in a part of its
  // own: the leaves from `next_leaf` on, where the reader is; when they are
  // gone, or it is nowhere yet (-1), from where it has the most before it and
  // leaves an even share, or half, to whoever reads there.
  std::optional<LeafRun> TakeAt(std::int64_t next_leaf, int readers,
                                std::int64_t leaves_max,
                                std::int64_t leaf_count_of_job) {
    if (empty()) return std::nullopt;
    const auto here = pieces_.find(next_leaf);
    if (here != pieces_.end()) {
      return TakeFrom(here, next_leaf, leaves_max, leaf_count_of_job);
    }
    // Of pieces of a kind the longest has the most to give.
    const std::int64_t share = leaf_count_ / std::max(readers, 1);
    std::int64_t best_begin = -1;
    std::int64_t kept = 0;
    std::int64_t most = -1;
    for (const bool has_reader : {false, true}) {
      const auto& kind = longest_last_[has_reader ? 1 : 0];
      if (kind.empty()) continue;
      const std::int64_t leaves = kind.rbegin()->first;
      const std::int64_t begin = -kind.rbegin()->second;
      const std::int64_t keeps = has_reader ? std::min(share, leaves / 2) : 0;
      const std::int64_t gives = leaves - keeps;
      if (gives > most || (gives == most && begin < best_begin)) {
        best_begin = begin;
        kept = keeps;
        most = gives;
      }
    }
    const auto best = pieces_.find(best_begin);
    // Moved on to where a long node can begin.
    const std::int64_t around = best->first + kept;
    auto grain = static_cast<std::int64_t>(std::bit_floor(
        static_cast<std::uint64_t>(std::max<std::int64_t>(leaves_max, 1))));
    std::int64_t from = (around + grain - 1) / grain * grain;
    while (from >= best->second.end) {
      grain /= 2;
      from = (around + grain - 1) / grain * grain;
    }
    if (around == best->first) from = around;
    return TakeFrom(best, from, leaves_max, leaf_count_of_job);
  }

  // The first leaves that lie in one of `runs`, which are in order. What keeps
  // its bounds is taken where it begins, or nobody might ever have all of it.
  std::optional<LeafRun> TakeWithin(const std::vector<LeafRun>& runs,
                                    std::int64_t leaves_max,
                                    std::int64_t leaf_count_of_job) {
    for (const LeafRun run : runs) {
      auto at = pieces_.upper_bound(run.begin);
      if (at != pieces_.begin() && std::prev(at)->second.end > run.begin) --at;
      for (; at != pieces_.end() && at->first < run.end; ++at) {
        const LeafRun piece{at->first, at->second.end};
        if (!joins_ && piece.begin < run.begin) continue;
        return TakeFrom(at, std::max(piece.begin, run.begin), leaves_max,
                        leaf_count_of_job, joins_ ? run.end : piece.end);
      }
    }
    return std::nullopt;
  }

  // Not wanted any more, where it is here at all.
  void Remove(LeafRun run) {
    if (empty()) return;
    auto at = pieces_.upper_bound(run.begin);
    if (at != pieces_.begin()) at = std::prev(at);
    while (at != pieces_.end() && at->first < run.end) {
      const LeafRun piece{at->first, at->second.end};
      if (!piece.Overlaps(run)) {
        ++at;
        continue;
      }
      const bool has_reader = at->second.has_reader;
      at = Erase(at);
      leaf_count_ -= piece.leaf_count();
      Keep({piece.begin, run.begin}, has_reader);
      Keep({run.end, piece.end}, false);
    }
  }

  void Clear() {
    pieces_.clear();
    for (auto& kind : longest_last_) kind.clear();
    leaf_count_ = 0;
  }

 private:
  struct Piece {
    std::int64_t end = 0;
    bool has_reader = false;  // who had the leaf before is to go on here
  };
  using Pieces = std::map<std::int64_t, Piece>;  // by their first leaf

  LeafRun TakeFrom(
      Pieces::iterator at, std::int64_t from, std::int64_t leaves_max,
      std::int64_t leaf_count_of_job,
      std::int64_t end = std::numeric_limits<std::int64_t>::max()) {
    const auto [begin, piece] = *at;
    const LeafRun node = FirstNodeOf({from, std::min(piece.end, end)},
                                     leaves_max, leaf_count_of_job);
    leaf_count_ -= piece.end - begin;
    Erase(at);
    Keep({begin, node.begin}, piece.has_reader);
    Keep({node.end, piece.end}, true);
    return node;
  }

  void Keep(LeafRun rest, bool has_reader) {
    if (rest.empty()) return;
    Insert(rest, has_reader);
    leaf_count_ += rest.leaf_count();
  }

  void Insert(LeafRun run, bool has_reader) {
    pieces_[run.begin] = {run.end, has_reader};
    longest_last_[has_reader ? 1 : 0].insert({run.leaf_count(), -run.begin});
  }

  Pieces::iterator Erase(Pieces::iterator at) {
    longest_last_[at->second.has_reader ? 1 : 0].erase(
        {at->second.end - at->first, -at->first});
    return pieces_.erase(at);
  }

  bool joins_;
  Pieces pieces_;
  // (leaves, -first leaf) of those without a reader and those with one.
  std::array<std::set<std::pair<std::int64_t, std::int64_t>>, 2> longest_last_;
  std::int64_t leaf_count_ = 0;
};

}  // namespace hearth::server
