#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "hearth/matrix/run_tree.h"

namespace hearth::server {

// Leaves that nobody computes yet, as disjoint runs of any length; handed out
// as nodes of the tree, first leaves first. Neighbours are joined where the
// queue is made so; else each run keeps its bounds.
//
// Kind: resource, single-threaded. Cost: O(log n) for n runs, not leaves.
class WorkQueue {
 public:
  explicit WorkQueue(bool joins_neighbours) : joins_(joins_neighbours) {}

  bool empty() const { return end_by_begin_.empty(); }
  std::int64_t leaf_count() const { return leaf_count_; }

  // Leaves that are there already stay there once.
  void Add(LeafRun run) {
    Remove(run);
    leaf_count_ += run.leaf_count();
    if (joins_) {
      auto after = end_by_begin_.find(run.end);
      if (after != end_by_begin_.end()) {
        run.end = after->second;
        end_by_begin_.erase(after);
      }
      auto before = end_by_begin_.lower_bound(run.begin);
      if (before != end_by_begin_.begin() && (--before)->second == run.begin) {
        before->second = run.end;
        return;
      }
    }
    end_by_begin_[run.begin] = run.end;
  }

  // A node of at most `leaves_max` leaves, at least one.
  std::optional<LeafRun> Take(std::int64_t leaves_max,
                              std::int64_t leaf_count_of_job) {
    if (empty()) return std::nullopt;
    const auto first = end_by_begin_.begin();
    const LeafRun piece{first->first, first->second};
    const LeafRun node = FirstNodeOf(piece, leaves_max, leaf_count_of_job);
    leaf_count_ -= node.leaf_count();
    if (node.end == piece.end) {
      end_by_begin_.erase(first);
    } else {
      auto handle = end_by_begin_.extract(first);
      handle.key() = node.end;
      end_by_begin_.insert(end_by_begin_.begin(), std::move(handle));
    }
    return node;
  }

  // Not wanted any more, where it is here at all.
  void Remove(LeafRun run) {
    if (empty()) return;
    auto at = end_by_begin_.upper_bound(run.begin);
    if (at != end_by_begin_.begin()) at = std::prev(at);
    while (at != end_by_begin_.end() && at->first < run.end) {
      const LeafRun piece{at->first, at->second};
      if (!piece.Overlaps(run)) {
        ++at;
        continue;
      }
      at = end_by_begin_.erase(at);
      leaf_count_ -= piece.leaf_count();
      Keep({piece.begin, run.begin});
      Keep({run.end, piece.end});
    }
  }

  void Clear() {
    end_by_begin_.clear();
    leaf_count_ = 0;
  }

 private:
  void Keep(LeafRun rest) {
    if (rest.empty()) return;
    end_by_begin_[rest.begin] = rest.end;
    leaf_count_ += rest.leaf_count();
  }

  bool joins_;
  std::map<std::int64_t, std::int64_t> end_by_begin_;
  std::int64_t leaf_count_ = 0;
};

}  // namespace hearth::server
