#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "hearth/object/value.h"

namespace hearth {

// The making end of a stream of items: how many may be made before the taker
// has asked for more, and those that it has not said to have yet, in case that
// they have to be sent again.
//
// Kind:   resource, single-threaded, pure.
// Bound:  what the taker allowed, and `bytes_max` of items that are not
//         confirmed; one item may be larger.
class ItemWindow {
 public:
  struct Item {
    std::uint64_t number = 0;  // from 0
    Value value;
  };

  explicit ItemWindow(std::int64_t bytes_max) : bytes_max_(bytes_max) {}

  // The taker has items [0, received), and has room for `more` after those.
  void Allow(std::uint64_t received, std::uint64_t more);
  // Whether the next item should be made now.
  bool WantsItem() const;
  void Made(Value value);
  // There are no more: the source ended, or failed.
  void Ended(absl::Status status);

  // What is to be sent, up to about `bytes` of it: each item once, and after
  // Resume again from the first that the taker has not.
  std::vector<Item> TakeToSend(std::int64_t bytes);
  void Resume(std::uint64_t received);

  // Once all items are sent: how it ended. None before, and when told already.
  std::optional<absl::Status> TakeEnd();
  // The taker has everything and the end was told: nothing is left to keep.
  bool finished() const;
  std::uint64_t made() const { return base_ + items_.size(); }
  std::uint64_t allowed() const { return allowed_; }

 private:
  void DropBelow(std::uint64_t number);

  const std::int64_t bytes_max_;
  std::int64_t bytes_ = 0;
  std::uint64_t base_ = 0;  // number of the first item kept
  std::deque<Value> items_;
  std::uint64_t next_to_send_ = 0;
  std::uint64_t allowed_ = 0;  // items below this may be made
  std::optional<absl::Status> end_;
  bool end_told_ = false;
};

// The taking end: puts items in order whatever came twice, and says when to
// allow more.
//
// Kind:   resource, single-threaded, pure.
class ItemTaker {
 public:
  // `bytes_max`: of the making end, which waits once so much is not confirmed.
  ItemTaker(std::uint64_t window, std::int64_t bytes_max)
      : window_(window), bytes_max_(bytes_max) {}

  // False when items are missing before it: ask again from received().
  bool Take(std::uint64_t number, Value value);
  void End(absl::Status status) { end_ = std::move(status); }

  bool has_item() const { return !waiting_.empty(); }
  // None when nothing waits: more come, or `end` tells why not.
  std::optional<Value> Next();
  const std::optional<absl::Status>& end() const { return end_; }

  std::uint64_t received() const { return received_; }
  // How many more than received() there is room for.
  std::uint64_t room() const { return window_ - waiting_.size(); }
  // Whether so many, or so much, were taken since the last Allowed() that it is
  // time again.
  bool ShouldAllow() const;
  void Allowed();

 private:
  const std::uint64_t window_;
  const std::int64_t bytes_max_;
  std::int64_t taken_bytes_ = 0;  // since Allowed
  std::deque<Value> waiting_;
  std::uint64_t received_ = 0;
  std::uint64_t allowed_ = 0;
  std::optional<absl::Status> end_;
};

}  // namespace hearth
