#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hearth {

// CRC-32C (Castagnoli, RFC 3720), of `bytes` behind those that gave `so_far`.
std::uint32_t Crc32c(std::span<const std::byte> bytes,
                     std::uint32_t so_far = 0);

}  // namespace hearth
