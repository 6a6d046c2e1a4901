#include "hearth/shm/smaps.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "hearth/shm/page_size.h"

namespace hearth {
namespace {

constexpr std::int64_t kHugePageBytes = 2 << 20;  // of a page-table entry, x86

// "7f0000000000-7f0000200000 rw-s ...": nothing else has a '-' before a space.
bool ParseHead(absl::string_view line, SmapsMapping& mapping) {
  const std::size_t space = line.find(' ');
  if (space == absl::string_view::npos) return false;
  const std::pair<absl::string_view, absl::string_view> ends =
      absl::StrSplit(line.substr(0, space), absl::MaxSplits('-', 1));
  SmapsMapping parsed;
  if (!absl::SimpleHexAtoi(ends.first, &parsed.begin) ||
      !absl::SimpleHexAtoi(ends.second, &parsed.end)) {
    return false;
  }
  mapping = parsed;
  return true;
}

}  // namespace

void ForEachSmapsField(absl::string_view text,
                       absl::FunctionRef<void(const SmapsMapping&,
                                              absl::string_view, std::int64_t)>
                           field) {
  SmapsMapping mapping;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (ParseHead(line, mapping)) continue;
    const std::size_t colon = line.find(':');
    if (colon == absl::string_view::npos) continue;
    absl::string_view value = line.substr(colon + 1);
    std::int64_t kib = 0;
    if (!absl::ConsumeSuffix(&value, " kB") ||
        !absl::SimpleAtoi(absl::StripAsciiWhitespace(value), &kib)) {
      continue;
    }
    field(mapping, line.substr(0, colon), kib * 1024);
  }
}

std::int64_t PageBytesIn(absl::string_view smaps, std::uint64_t begin,
                         std::uint64_t end) {
  std::int64_t resident = 0;
  std::int64_t by_huge_entries = 0;
  std::int64_t kernel_page = 0;
  ForEachSmapsField(smaps, [&](const SmapsMapping& mapping,
                               absl::string_view name, std::int64_t bytes) {
    if (mapping.end <= begin || mapping.begin >= end) return;
    if (name == "Rss") resident += bytes;
    if (absl::EndsWith(name, "PmdMapped") || name == "AnonHugePages") {
      by_huge_entries += bytes;
    }
    // Larger than a page only for mappings of the hugetlb pool.
    if (name == "KernelPageSize" && bytes > kernel_page) kernel_page = bytes;
  });
  if (kernel_page > PageBytes()) return kernel_page;
  return by_huge_entries * 2 > resident ? kHugePageBytes : PageBytes();
}

}  // namespace hearth
