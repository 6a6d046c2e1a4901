// How work that is not cut along row blocks is dealt out to them.
#pragma once

#include <algorithm>
#include <cstdint>

namespace hearth {

// A half-open run of indexes: rows, columns or lanes of a result.
struct Share {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t count() const { return end - begin; }
  friend bool operator==(const Share&, const Share&) = default;
};

// The part of [0, total) that block `index` of `blocks` stands for: consecutive
// blocks have consecutive parts, together all of it. Every boundary but the
// last is a multiple of `grain`, so that neighbours share no cache line; blocks
// may have none. Requires 0 <= index < blocks, grain > 0.
inline Share ShareOf(std::int64_t total, std::int64_t index,
                     std::int64_t blocks, std::int64_t grain) {
  const std::int64_t grains = total / grain + (total % grain != 0 ? 1 : 0);
  const auto boundary = [&](std::int64_t i) {
    const std::int64_t at = grains / blocks * i + std::min(i, grains % blocks);
    return at > total / grain ? total : at * grain;
  };
  return {boundary(index), boundary(index + 1)};
}

}  // namespace hearth
