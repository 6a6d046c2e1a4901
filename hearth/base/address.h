#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hearth {

// Where a process listens: `host:port`, `[ipv6]:port`, `unix:PATH` or
// `unix-abstract:NAME`. The one place that reads and writes these texts.
//
// Kind:    value.
// Bound:   a path or name is at most 107 bytes, what sockaddr_un holds.
struct Address {
  enum class Kind : std::uint8_t { kTcp, kUnixPath, kUnixAbstract };

  Kind kind = Kind::kTcp;
  std::string name = {};   // host, path, or abstract name without its NUL
  std::uint16_t port = 0;  // kTcp only

  // Fails: bad-usage, saying which form was expected.
  static absl::StatusOr<Address> Parse(absl::string_view text);
  static Address Abstract(absl::string_view name);

  std::string ToString() const;
  bool local() const { return kind != Kind::kTcp; }

  friend bool operator==(const Address&, const Address&) = default;
};

}  // namespace hearth
