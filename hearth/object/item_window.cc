#include "hearth/object/item_window.h"

#include <algorithm>
#include <utility>

namespace hearth {

void ItemWindow::DropBelow(std::uint64_t number) {
  while (base_ < number && !items_.empty()) {
    bytes_ -= items_.front().Bytes();
    items_.pop_front();
    ++base_;
  }
  next_to_send_ = std::max(next_to_send_, base_);
}

void ItemWindow::Allow(std::uint64_t received, std::uint64_t more) {
  DropBelow(std::min(received, made()));
  allowed_ = std::max(allowed_, received + more);
}

bool ItemWindow::WantsItem() const {
  return !end_.has_value() && made() < allowed_ && bytes_ < bytes_max_;
}

void ItemWindow::Made(Value value) {
  bytes_ += value.Bytes();
  items_.push_back(std::move(value));
}

void ItemWindow::Ended(absl::Status status) {
  if (!end_.has_value()) end_ = std::move(status);
}

std::vector<ItemWindow::Item> ItemWindow::TakeToSend(std::int64_t bytes) {
  std::vector<Item> out;
  while (bytes > 0 && next_to_send_ < made()) {
    const Value& value = items_[next_to_send_ - base_];
    bytes -= value.Bytes();
    out.push_back({next_to_send_++, value});
  }
  return out;
}

void ItemWindow::Resume(std::uint64_t received) {
  DropBelow(std::min(received, made()));
  next_to_send_ = base_;
  end_told_ = false;
}

std::optional<absl::Status> ItemWindow::TakeEnd() {
  if (!end_.has_value() || end_told_ || next_to_send_ < made()) {
    return std::nullopt;
  }
  end_told_ = true;
  return end_;
}

bool ItemWindow::finished() const { return end_told_ && items_.empty(); }

bool ItemTaker::Take(std::uint64_t number, Value value) {
  if (number > received_) return false;
  if (number < received_) return true;  // came before
  waiting_.push_back(std::move(value));
  ++received_;
  return true;
}

std::optional<Value> ItemTaker::Next() {
  if (waiting_.empty()) return std::nullopt;
  std::optional<Value> item = std::move(waiting_.front());
  waiting_.pop_front();
  taken_bytes_ += item->Bytes();
  return item;
}

bool ItemTaker::ShouldAllow() const {
  return received_ + room() >= allowed_ + window_ / 2 ||
         taken_bytes_ >= bytes_max_ / 2;
}

void ItemTaker::Allowed() {
  allowed_ = received_ + room();
  taken_bytes_ = 0;
}

}  // namespace hearth
