// Reading the text of /proc/PID/smaps. Inside this room only.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace hearth {

struct SmapsMapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// Calls `field(mapping, name, bytes)` for each line "Name:   123 kB", with the
// mapping it belongs to.
void ForEachSmapsField(
    absl::string_view text,
    absl::FunctionRef<void(const SmapsMapping&, absl::string_view name,
                           std::int64_t bytes)>
        field);

// The page size that most of what is resident within [begin, end) has.
std::int64_t PageBytesIn(absl::string_view smaps, std::uint64_t begin,
                         std::uint64_t end);

}  // namespace hearth
