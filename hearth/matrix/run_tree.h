// The fixed binary tree over the leaves of a job (DESIGN 5), as arithmetic.
//
// Node k of level j is the run [k·2^j, (k+1)·2^j), cut off at the number of
// leaves. A partial of a node is what combining its two children gives, in this
// order, so its bits depend on the node alone: any cover of all leaves by
// disjoint nodes, combined along the tree, ends in the same bits.
//
// Both sides of the wire include this, so that both mean the same tree.
#pragma once

#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hearth {

// A half-open run of leaves, [begin, end).
//
// Kind: value.
struct LeafRun {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  constexpr std::int64_t leaf_count() const { return end - begin; }
  constexpr bool empty() const { return begin >= end; }
  constexpr bool Contains(LeafRun other) const {
    return begin <= other.begin && other.end <= end;
  }
  constexpr bool Overlaps(LeafRun other) const {
    return begin < other.end && other.begin < end;
  }

  friend constexpr auto operator<=>(const LeafRun&, const LeafRun&) = default;
};

// True for a node of the tree over `leaf_count` leaves. Runs come from peers:
// this is the check before any of them is believed.
constexpr bool IsAligned(LeafRun run, std::int64_t leaf_count) {
  if (run.begin < 0 || run.empty() || run.end > leaf_count) return false;
  const auto length = static_cast<std::uint64_t>(run.leaf_count());
  if (!std::has_single_bit(length) && run.end != leaf_count) return false;
  return static_cast<std::uint64_t>(run.begin) % std::bit_ceil(length) == 0;
}

// True when `left` and `right` are the two children of one node.
constexpr bool AreSiblings(LeafRun left, LeafRun right,
                           std::int64_t leaf_count) {
  if (left.end != right.begin || right.empty()) return false;
  const std::int64_t length = left.leaf_count();
  if (length <= 0 || !std::has_single_bit(static_cast<std::uint64_t>(length))) {
    return false;
  }
  if (left.begin % (2 * length) != 0) return false;
  const std::int64_t whole = left.end + length;
  return right.end == (whole < leaf_count ? whole : leaf_count);
}

// The other child of the node that `run`, itself a node but not the root, is a
// child of.
constexpr LeafRun SiblingOf(LeafRun run, std::int64_t leaf_count) {
  auto length = static_cast<std::int64_t>(
      std::bit_ceil(static_cast<std::uint64_t>(run.leaf_count())));
  // A run cut off at the end stands for every level at which it has no right
  // neighbour; go up to the one at which it is a right child.
  while ((run.begin & length) == 0 && run.begin + length >= leaf_count) {
    length *= 2;
  }
  if ((run.begin & length) != 0) return {run.begin - length, run.begin};
  const std::int64_t end = run.begin + 2 * length;
  return {run.end, end < leaf_count ? end : leaf_count};
}

constexpr LeafRun ParentOf(LeafRun run, std::int64_t leaf_count) {
  const LeafRun sibling = SiblingOf(run, leaf_count);
  return sibling.begin < run.begin ? LeafRun{sibling.begin, run.end}
                                   : LeafRun{run.begin, sibling.end};
}

// The largest node that begins where `within` does, ends inside it, and has at
// most `leaves_max` leaves (at least one). `within` must not be empty.
constexpr LeafRun FirstNodeOf(LeafRun within, std::int64_t leaves_max,
                              std::int64_t leaf_count) {
  std::int64_t length = 1;
  while (2 * length <= leaves_max && within.begin % (2 * length) == 0) {
    const std::int64_t cut = within.begin + 2 * length;
    if ((cut < leaf_count ? cut : leaf_count) > within.end) break;
    length *= 2;
    if (cut >= leaf_count) break;
  }
  const std::int64_t end = within.begin + length;
  return {within.begin, end < leaf_count ? end : leaf_count};
}

// Combines an ordered cover along the tree, one run after the other: a stack
// of partials, as in a binary counter.
//
//   for each run of the cover, in order:
//     put its partial into slot stack.Push(run)
//     while (stack.CanCombine()) combine slot top()+1 into slot stack.Combine()
//
// At the end one slot is left for each node that could not be completed: one,
// the root, when the cover was whole.
//
// Kind: value. It holds runs only; the caller holds the partials, by slot.
class RunStack {
 public:
  explicit RunStack(std::int64_t leaf_count = 0) : leaf_count_(leaf_count) {}

  // Returns the slot for this run's partial. Runs come in order.
  int Push(LeafRun run) {
    runs_.push_back(run);
    return top();
  }
  bool CanCombine() const {
    return runs_.size() >= 2 &&
           AreSiblings(runs_[runs_.size() - 2], runs_.back(), leaf_count_);
  }
  // Returns the left slot: slot + 1 is to be combined into it, and is free
  // then. Requires CanCombine().
  int Combine() {
    runs_[runs_.size() - 2].end = runs_.back().end;
    runs_.pop_back();
    return top();
  }

  int top() const { return static_cast<int>(runs_.size()) - 1; }
  const std::vector<LeafRun>& runs() const { return runs_; }
  void Clear() { runs_.clear(); }

 private:
  std::int64_t leaf_count_;
  std::vector<LeafRun> runs_;
};

static_assert(IsAligned({4, 5}, 5) && IsAligned({0, 5}, 5));
static_assert(!IsAligned({2, 5}, 5) && !IsAligned({1, 3}, 8));
static_assert(AreSiblings({0, 4}, {4, 5}, 5));
static_assert(!AreSiblings({0, 4}, {4, 6}, 7));
static_assert(SiblingOf({4, 5}, 5) == LeafRun{0, 4});
static_assert(SiblingOf({4, 6}, 7) == LeafRun{6, 7});
static_assert(ParentOf({6, 7}, 7) == LeafRun{4, 7});
static_assert(FirstNodeOf({4, 5}, 8, 5) == LeafRun{4, 5});
static_assert(FirstNodeOf({0, 5}, 8, 5) == LeafRun{0, 5});
static_assert(FirstNodeOf({0, 6}, 8, 7) == LeafRun{0, 4});

}  // namespace hearth
