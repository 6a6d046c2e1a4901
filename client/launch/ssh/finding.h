// What went wrong on a host, as people can act on it.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace hearth::client {

// How an ssh ended that should not have: what it wrote to standard error, and
// its exit status (negative: the signal).
struct SshEnd {
  int exit_status = 0;
  std::string last_words;
};

// "finding; what to do", for one host, on one line.
std::string FindingOf(absl::string_view host, const SshEnd& end);

// The same for a "fail KIND TEXT" of a script.
std::string FindingOf(absl::string_view kind, absl::string_view text);

}  // namespace hearth::client
