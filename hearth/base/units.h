// Sizes as people write them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hearth {

// Bytes from "4GiB", "512M", "1.5G", "64 KiB", "4096": case does not matter, a
// fraction of a byte is dropped.
//
//   K M G T P, KiB MiB ...   powers of 1,024, as systemd and Slurm read them
//   KB MB GB TB PB           powers of 1,000
//   none, B                  bytes
//
// BAD_USAGE for anything else, for negative sizes and for 2^63 bytes or more.
absl::StatusOr<std::int64_t> ParseSize(absl::string_view text);

// "0 B", "1.5 GiB", "16 MiB": at most one digit after the point, rounded to
// the nearest; for people, not for reading back exactly.
std::string FormatBytes(std::int64_t bytes);

}  // namespace hearth
