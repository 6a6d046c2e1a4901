#pragma once

#include <cstdint>
#include <string>

#include "hearth/base/id.h"

namespace hearth::server {

// Bytes that ride in a message (up to limits::kInlineBytesMax), or the token of
// the segment at `host` that holds them. The coordinator never looks into them.
//
// Kind: value.
struct BytesRef {
  std::string inline_bytes{};
  Id token{};          // zero: inline
  std::string host{};  // where the token's segment lies; the core fills it in
                       // from the worker that reported it
  std::int64_t bytes = 0;  // of the token's segment

  bool has_token() const { return !token.zero(); }
  bool is_empty() const { return token.zero() && inline_bytes.empty(); }
  friend bool operator==(const BytesRef&, const BytesRef&) = default;
};

}  // namespace hearth::server
