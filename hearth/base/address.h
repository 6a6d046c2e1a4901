#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hearth {

// Where a process listens: "unix-abstract:NAME", "unix:PATH" or "host:port".
//
// Kind: value; the text is what a ready line prints and --cluster takes.
struct Address {
  enum class Kind { kAbstract, kPath, kTcp };
  Kind kind = Kind::kAbstract;
  std::string name;  // NAME, PATH or host:port

  // BAD_USAGE naming the text and the three forms.
  static absl::StatusOr<Address> Parse(absl::string_view text);
  // An abstract name that nobody can guess.
  static Address RandomAbstract();

  std::string ToString() const;
  bool on_this_host() const { return kind != Kind::kTcp; }
};

}  // namespace hearth
