// What most of these tests need. Tests only.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "hearth/shm/memory_limits.h"

namespace hearth::testing {

// This machine's.
inline const MemoryLimits kLimits;

inline std::string TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace hearth::testing
