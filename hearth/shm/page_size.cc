#include "hearth/shm/page_size.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/read_file.h"
#include "hearth/base/status.h"
#include "hearth/shm/smaps.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace hearth {
namespace {

constexpr char kShmemEnabled[] =
    "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

absl::Status NoPage(std::size_t bytes, absl::string_view finding) {
  return Error(Reason::kOutOfMemory,
               absl::StrCat("touch ", bytes, " bytes of a segment: ", finding));
}

// Adding nothing to one byte a page: a write for the kernel, while the bytes
// stay what another writer made them.
void TouchEachPage(std::span<std::byte> mapped) {
  const auto page = static_cast<std::size_t>(PageBytes());
  for (std::size_t i = 0; i < mapped.size(); i += page) {
    std::atomic_ref(reinterpret_cast<unsigned char&>(mapped[i]))
        .fetch_add(0, std::memory_order_relaxed);
  }
}

}  // namespace

std::int64_t PageBytes() {
  static const std::int64_t bytes = sysconf(_SC_PAGESIZE);
  return bytes;
}

HugePages ParseShmemEnabled(absl::string_view text) {
  if (absl::StrContains(text, "[advise]")) return HugePages::kWhereAdvised;
  for (const char* granted : {"[always]", "[within_size]", "[force]"}) {
    if (absl::StrContains(text, granted)) return HugePages::kEverywhere;
  }
  return HugePages::kNever;  // "[never]", "[deny]", or no such file
}

HugePages ShmemHugePages() {
  const auto text = ReadSmallFile(kShmemEnabled);
  return text.ok() ? ParseShmemEnabled(*text) : HugePages::kNever;
}

void AdviseHugePages(std::span<std::byte> mapped) {
  if (mapped.empty() || ShmemHugePages() == HugePages::kNever) return;
  // A wish: a kernel that can't grant it fails here or ignores it, and ordinary
  // pages are always right.
  (void)madvise(mapped.data(), mapped.size(), MADV_HUGEPAGE);
}

std::int64_t PageBytesOf(std::span<const std::byte> mapped) {
  const auto smaps = ReadSmallFile("/proc/self/smaps");
  if (!smaps.ok() || mapped.empty()) return PageBytes();
  const auto begin = reinterpret_cast<std::uintptr_t>(mapped.data());
  return PageBytesIn(*smaps, begin, begin + mapped.size());
}

absl::Status PopulateForWriting(std::span<std::byte> mapped) {
  if (mapped.empty()) return absl::OkStatus();
  const auto page = static_cast<std::uintptr_t>(PageBytes());
  const auto address = reinterpret_cast<std::uintptr_t>(mapped.data());
  std::byte* const first = mapped.data() - address % page;
  const std::size_t bytes = mapped.size() + address % page;
  for (;;) {
    if (madvise(first, bytes, MADV_POPULATE_WRITE) == 0) {
      return absl::OkStatus();
    }
    switch (errno) {
      case EINTR:
      case EAGAIN:
        continue;
      case EINVAL:  // Linux before 5.14
        TouchEachPage(mapped);
        return absl::OkStatus();
      case EFAULT:
        return NoPage(bytes, "the kernel has no page for it");
      case ENOMEM:
        return NoPage(bytes, "the kernel is out of memory");
      default:
        return ErrnoStatus("touch a segment");
    }
  }
}

}  // namespace hearth
