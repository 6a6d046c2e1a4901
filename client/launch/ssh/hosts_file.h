#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hearth::client {

// One line of a hosts file: `HOST [workers=N] [memory=SIZE] [address=A]`.
//
// Kind: value.
struct HostLine {
  std::string host;  // as ssh knows it
  int workers = 0;   // 0: its cores
  std::string memory;
  std::string address;  // where the others reach it; empty: where ssh did

  friend bool operator==(const HostLine&, const HostLine&) = default;
};

// The hosts of a file's text, in its order. `#` begins a comment, empty lines
// don't count. Whatever is accepted is safe as a word of a shell and of ssh.
//
// Fails: bad-usage, naming `file` and the line.
absl::StatusOr<std::vector<HostLine>> ParseHostsFile(absl::string_view file,
                                                     absl::string_view text);

}  // namespace hearth::client
