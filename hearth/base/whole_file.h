#pragma once

#include <sys/types.h>

#include <string>
#include <system_error>

#include "absl/strings/string_view.h"

namespace hearth {

// Makes the file PATH with `text` in it, whole or not at all, and on the disk
// when it returns. It grows as PATH.part, under a lock that ends with its
// writer: two writers take turns, and what a killed one left is told from what
// is being written, by the next writer and by SweepPart.
//
// With `replace` it takes the place of what is there; without, that is
// errc::file_exists. Any other error is the system's of a call that failed; a
// PATH.part that is another user's, or no regular file, is
// errc::operation_not_permitted.
//
// Threads: any. Processes: any, on one machine or on a file system that knows
// locks; where it knows none, the last of two writers at once wins.
std::error_code WriteWholeFile(const std::string& path, absl::string_view text,
                               mode_t mode, bool replace);

// Takes away PATH.part where nobody is writing it any more.
void SweepPart(const std::string& path);

}  // namespace hearth
