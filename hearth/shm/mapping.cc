#include "hearth/shm/mapping.h"

#include <sys/mman.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/shm/page_size.h"

namespace hearth {
namespace {

int Protection(MapAccess access) {
  return access == MapAccess::kRead ? PROT_READ : PROT_READ | PROT_WRITE;
}

// Copies of pages are made one by one as they are written, so the kernel need
// not set memory aside for all of them.
int Sharing(MapAccess access) {
  return access == MapAccess::kPrivate ? MAP_PRIVATE | MAP_NORESERVE
                                       : MAP_SHARED;
}

// mmap says ENOMEM for want of address space, of RLIMIT_AS, or of room in the
// kernel's list of mappings, and EAGAIN for RLIMIT_MEMLOCK.
absl::Status MapFailed(absl::string_view what, std::int64_t bytes) {
  const int error = errno;
  if (error == ENOMEM || error == EAGAIN) {
    return Error(Reason::kOutOfMemory,
                 absl::StrCat("map ", bytes, " bytes of ", what,
                              ": the kernel has no room for the mapping; see "
                              "ulimit -v and vm.max_map_count"));
  }
  errno = error;
  return ErrnoStatus(absl::StrCat("map ", bytes, " bytes of ", what));
}

}  // namespace

absl::StatusOr<Mapping> Mapping::Of(int fd, std::int64_t offset,
                                    std::int64_t bytes, MapAccess access,
                                    absl::string_view what) {
  const std::int64_t page = PageBytes();
  if (offset < 0 || bytes < 0 ||
      bytes > std::numeric_limits<std::int64_t>::max() - page ||
      offset > std::numeric_limits<std::int64_t>::max() - page - bytes) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("map [", offset, ", +", bytes, ") of ", what,
                              ": no such range of bytes"));
  }
  if (bytes == 0) return Mapping();
  const std::int64_t skip = offset % page;
  const auto mapped_bytes =
      static_cast<std::size_t>((skip + bytes + page - 1) / page * page);
  void* const base = mmap(nullptr, mapped_bytes, Protection(access),
                          Sharing(access), fd, offset - skip);
  if (base == MAP_FAILED) return MapFailed(what, bytes);
  Mapping mapping;
  mapping.base_ = static_cast<std::byte*>(base);
  mapping.mapped_bytes_ = mapped_bytes;
  mapping.skip_ = static_cast<std::size_t>(skip);
  mapping.bytes_ = static_cast<std::size_t>(bytes);
  mapping.offset_ = offset - skip;
  mapping.broken_ = std::make_unique<std::atomic<bool>>(false);
  return mapping;
}

absl::StatusOr<Mapping> Mapping::Zeros(std::int64_t bytes) {
  if (bytes == 0) return Mapping();
  const auto size = static_cast<std::size_t>(bytes);
  // Private and never written: every page is the kernel's one page of zeros.
  void* const base = mmap(nullptr, size, PROT_READ,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return MapFailed("zeros", bytes);
  Mapping mapping;
  mapping.base_ = static_cast<std::byte*>(base);
  mapping.mapped_bytes_ = mapping.bytes_ = size;
  return mapping;
}

absl::Status Mapping::RemapInPlace(int fd, MapAccess access,
                                   absl::string_view what) {
  if (base_ == nullptr) return absl::OkStatus();
  // One call that replaces: there is no moment at which the addresses are free
  // for another thread's mmap.
  if (mmap(base_, mapped_bytes_, Protection(access),
           Sharing(access) | MAP_FIXED, fd, offset_) == MAP_FAILED) {
    return MapFailed(what, static_cast<std::int64_t>(bytes_));
  }
  return absl::OkStatus();
}

void Mapping::Swap(Mapping& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(skip_, other.skip_);
  std::swap(bytes_, other.bytes_);
  std::swap(offset_, other.offset_);
  std::swap(broken_, other.broken_);
}

Mapping::~Mapping() {
  if (base_ != nullptr) munmap(base_, mapped_bytes_);
}

}  // namespace hearth
