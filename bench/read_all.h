// What a core can read: every byte of it, with next to nothing done to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace hearth {

__attribute__((noinline,
               target_clones("avx512f", "avx2", "default"))) inline long
ReadAll(const std::byte* data, std::int64_t bytes) {
  long lanes[64] = {};
  for (std::int64_t i = 0; i + 512 <= bytes; i += 512) {
    for (int j = 0; j < 64; ++j) {
      long next;
      __builtin_memcpy(&next, data + i + j * 8, 8);
      lanes[j] ^= next;
    }
  }
  long all = 0;
  for (const long lane : lanes) all ^= lane;
  return all;
}

}  // namespace hearth
