#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace hearth {

// The elements of an array: its own, or bytes that lie elsewhere, such as a
// segment that another process sent, which live as long as a copy of this.
//
// Kind:    value; a copy of what lies elsewhere shares it.
// Threads: const methods from any.
class ArrayBytes {
 public:
  ArrayBytes() = default;
  ArrayBytes(std::string own) : own_(std::move(own)) {}
  ArrayBytes(const char* own) : own_(own) {}

  // Bytes that nobody changes as long as `keeper` lives.
  static ArrayBytes Shared(std::span<const std::byte> bytes,
                           std::shared_ptr<const void> keeper) {
    return {bytes, std::move(keeper), false};
  }
  // Bytes of somebody who may change them once the call that they are given to
  // has begun: they are copied before.
  static ArrayBytes Borrowed(std::span<const std::byte> bytes,
                             std::shared_ptr<const void> keeper) {
    return {bytes, std::move(keeper), true};
  }

  const char* data() const {
    return keeper_ == nullptr ? own_.data()
                              : reinterpret_cast<const char*>(there_.data());
  }
  std::size_t size() const {
    return keeper_ == nullptr ? own_.size() : there_.size();
  }
  bool empty() const { return size() == 0; }
  absl::string_view view() const { return {data(), size()}; }
  operator absl::string_view() const { return view(); }
  std::span<const std::byte> bytes() const {
    return {reinterpret_cast<const std::byte*>(data()), size()};
  }

  bool is_own() const { return keeper_ == nullptr; }
  bool is_borrowed() const { return is_borrowed_; }
  // Moved out where they are its own, else copied.
  std::string Take() && {
    return is_own() ? std::move(own_) : std::string(data(), size());
  }
  // To be written to; requires that they are its own.
  std::string& own() { return own_; }

  friend bool operator==(const ArrayBytes& a, const ArrayBytes& b) {
    return a.view() == b.view();
  }

 private:
  ArrayBytes(std::span<const std::byte> there,
             std::shared_ptr<const void> keeper, bool is_borrowed)
      : there_(there), keeper_(std::move(keeper)), is_borrowed_(is_borrowed) {}

  std::string own_;
  std::span<const std::byte> there_;
  std::shared_ptr<const void> keeper_;  // null: they are its own
  bool is_borrowed_ = false;
};

}  // namespace hearth
