#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hearth {

// Bytes of an ordinary page: 4096 on x86-64.
std::int64_t PageBytes();

// What the kernel does about huge pages in memfds.
enum class HugePages {
  kNever,
  kWhereAdvised,  // in mappings that asked by MADV_HUGEPAGE
  kEverywhere,    // those too that are written without a mapping
};

// Pure. From the text of /sys/kernel/mm/transparent_hugepage/shmem_enabled.
HugePages ParseShmemEnabled(absl::string_view text);
HugePages ShmemHugePages();

// Asks for huge pages where the kernel grants them; elsewhere nothing. Before
// the first touch.
void AdviseHugePages(std::span<std::byte> mapped);

// Bytes of the pages that the most of `mapped` really has, from
// /proc/self/smaps: PageBytes() unless over half of what is resident is mapped
// by larger ones. Takes milliseconds for a large mapping.
std::int64_t PageBytesOf(std::span<const std::byte> mapped);

// Touches whole pages of `mapped` ahead of writing, so that a fault is paid
// once for many: MADV_POPULATE_WRITE, or one byte a page where the kernel is
// older than 5.14. The contents stay. OUT_OF_MEMORY instead of a SIGBUS where
// the kernel can say so.
absl::Status PopulateForWriting(std::span<std::byte> mapped);

}  // namespace hearth
