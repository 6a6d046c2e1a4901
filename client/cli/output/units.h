// Bytes, rates and durations as people read them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace hearth::client {

std::string HumanBytes(std::int64_t bytes);  // "512 B", "1.5 MiB", "4.0 GiB"
std::string HumanCount(std::int64_t count);  // "1,234,567"

// "12.3 GB/s": of 10^9 bytes, as memory and links are sold. "-" where nothing
// was moved or no time passed.
std::string HumanRate(std::int64_t bytes, absl::Duration time);

// "850 us", "12.3 ms", "4.56 s", "2 min 05 s", "3 h 07 min".
std::string HumanDuration(absl::Duration duration);

}  // namespace hearth::client
