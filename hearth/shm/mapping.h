#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hearth {

enum class MapAccess {
  kRead,
  kReadWrite,
  kPrivate,  // writable; what is written stays in this process, page by page
};

// A range of a descriptor's bytes in this process's address space.
//
// Kind:    resource. Moves, never copies; the last owner unmaps. It needs no
//          descriptor to stay open. Empty ranges have no mapping at all.
// Threads: the bytes may be read from any thread; moving needs an owner.
// Fails:   out-of-memory when the address space or the kernel's count of
//          mappings is used up.
class Mapping {
 public:
  Mapping() = default;

  // Maps [offset, offset + bytes), any offset: it is rounded down to a page and
  // the bytes before it are left out of the view. The file must be that long,
  // or reading raises SIGBUS (sigbus_guard.h). `what` is for the message.
  static absl::StatusOr<Mapping> Of(int fd, std::int64_t offset,
                                    std::int64_t bytes, MapAccess access,
                                    absl::string_view what);

  // Bytes that read as zero and take no memory.
  static absl::StatusOr<Mapping> Zeros(std::int64_t bytes);

  Mapping(Mapping&& other) noexcept { Swap(other); }
  Mapping& operator=(Mapping&& other) noexcept {
    Mapping taken(std::move(other));
    Swap(taken);
    return *this;
  }
  ~Mapping();

  std::span<const std::byte> bytes() const { return {base_ + skip_, bytes_}; }
  // Requires kReadWrite or kPrivate.
  std::span<std::byte> writable_bytes() { return {base_ + skip_, bytes_}; }

  // Whole pages, as the kernel sees it.
  std::span<std::byte> pages() const { return {base_, mapped_bytes_}; }

  // True once a read has hit a page that the kernel could not provide (the file
  // was cut off, the disk failed): the bytes can't be believed any more, now or
  // later. Let go of it and map anew. Null for an empty mapping.
  bool broken() const { return broken_ != nullptr && *broken_; }
  std::atomic<bool>* broken_flag() const { return broken_.get(); }

  // Puts other bytes behind the same addresses: `fd` from the same offset on.
  // No other thread may write meanwhile. On failure the old ones stay.
  absl::Status RemapInPlace(int fd, MapAccess access, absl::string_view what);

 private:
  void Swap(Mapping& other) noexcept;

  std::byte* base_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::size_t skip_ = 0;  // from base_ to the first byte that was asked for
  std::size_t bytes_ = 0;
  std::int64_t offset_ = 0;  // of base_ in the file
  // On the heap: a signal handler sets it, and a move must not displace it.
  std::unique_ptr<std::atomic<bool>> broken_;
};

}  // namespace hearth
