#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace hearth {

struct NewFile {
  std::string name;
  std::string text;
  bool secret = false;  // 0600 instead of 0644
};

// Writes `files`, and nothing else, to a directory (0700) that appears under
// its name whole or not at all: they are written beside it first, and what a
// writer that was killed left there goes. Directories above it are made where
// they are missing.
//
// An empty directory is taken as it is. One with credentials is replaced in
// one step if `replace`; one with anything else never is, and so neither is an
// authority's key by files that don't include one.
//
// Fails: name-taken, not-allowed, file-missing, out-of-disk.
absl::Status WriteWholeDirectory(const std::string& path,
                                 const std::vector<NewFile>& files,
                                 bool replace);

}  // namespace hearth
