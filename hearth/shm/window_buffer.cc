#include <sys/mman.h>

#include <utility>

#include "hearth/shm/page_size.h"
#include "hearth/shm/window_reader.h"

namespace hearth {
namespace {

void Unmap(std::span<std::byte> region) {
  if (!region.empty()) munmap(region.data(), region.size());
}

// Replaces `region` by one of at least `bytes`, unless it is that large.
std::span<std::byte> Grown(std::span<std::byte>& region, std::int64_t bytes,
                           int protection) {
  const auto wanted = static_cast<std::size_t>(bytes);
  if (region.size() < wanted) {
    Unmap(std::exchange(region, {}));
    void* const base = mmap(nullptr, wanted, protection,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return {};
    region = {static_cast<std::byte*>(base), wanted};
    // Fewer entries to fault in and for the disk to scatter to.
    if ((protection & PROT_WRITE) != 0) {
      (void)madvise(base, wanted, MADV_HUGEPAGE);
    }
  }
  return region.first(wanted);
}

}  // namespace

std::span<std::byte> WindowBuffer::Writable(std::int64_t bytes) {
  return Grown(writable_, bytes, PROT_READ | PROT_WRITE);
}

// Never written, so that every page is the kernel's one page of zeros.
std::span<const std::byte> WindowBuffer::Zeros(std::int64_t bytes) {
  return Grown(zeros_, bytes, PROT_READ);
}

void WindowBuffer::Swap(WindowBuffer& other) noexcept {
  std::swap(writable_, other.writable_);
  std::swap(zeros_, other.zeros_);
}

WindowBuffer::~WindowBuffer() {
  Unmap(writable_);
  Unmap(zeros_);
}

}  // namespace hearth
