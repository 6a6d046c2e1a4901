#include "hearth/base/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace hearth {

std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t so_far) {
  // The library wants no const and an int, and leaves both inversions to us.
  constexpr std::size_t kStep = 1 << 30;
  std::uint32_t crc = ~so_far;
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kStep));
    crc = crc32_iscsi(
        reinterpret_cast<unsigned char*>(const_cast<std::byte*>(part.data())),
        static_cast<int>(part.size()), crc);
    bytes = bytes.subspan(part.size());
  }
  return ~crc;
}

}  // namespace hearth
