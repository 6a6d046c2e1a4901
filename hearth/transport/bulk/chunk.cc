#include "hearth/transport/bulk/chunk.h"

#include <algorithm>
#include <cstring>

namespace hearth {
namespace {

constexpr std::byte kOffsetTag{(1 << 3) | 1};  // fixed64
constexpr std::byte kCrcTag{(2 << 3) | 5};     // fixed32
constexpr std::byte kDataTag{(15 << 3) | 2};   // length-delimited
constexpr std::size_t kLengthAt = 9 + 5 + 1;

template <class Integer>
void Store(std::byte* at, Integer value) {
  std::memcpy(at, &value, sizeof(value));
}
template <class Integer>
Integer Load(const std::byte* at) {
  Integer value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

}  // namespace

EncodedChunkHead Encode(const ChunkHead& head) {
  EncodedChunkHead encoded;
  std::byte* at = encoded.bytes.data();
  at[0] = kOffsetTag;
  Store(at + 1, static_cast<std::uint64_t>(head.offset));
  at[9] = kCrcTag;
  Store(at + 10, head.crc32c);
  at[14] = kDataTag;
  encoded.size = kLengthAt;
  auto left = static_cast<std::uint64_t>(head.bytes);
  do {
    const std::uint64_t low = left & 0x7f;
    left >>= 7;
    at[encoded.size++] = static_cast<std::byte>(low | (left != 0 ? 0x80U : 0U));
  } while (left != 0);
  return encoded;
}

std::optional<ParsedChunkHead> ParseChunkHead(
    std::span<const std::byte> bytes) {
  if (bytes.size() <= kLengthAt || bytes[0] != kOffsetTag ||
      bytes[9] != kCrcTag || bytes[14] != kDataTag) {
    return std::nullopt;
  }
  ParsedChunkHead parsed;
  const auto offset = Load<std::uint64_t>(bytes.data() + 1);
  parsed.head.crc32c = Load<std::uint32_t>(bytes.data() + 10);
  std::uint64_t length = 0;
  for (std::size_t i = kLengthAt;
       i < std::min(bytes.size(), kChunkHeadBytesMax); ++i) {
    const auto byte = static_cast<std::uint64_t>(bytes[i]);
    length |= (byte & 0x7f) << (7 * (i - kLengthAt));
    if ((byte & 0x80) != 0) continue;
    if (offset > INT64_MAX || length > limits::kChunkBytesMax) {
      return std::nullopt;
    }
    parsed.head.offset = static_cast<std::int64_t>(offset);
    parsed.head.bytes = static_cast<std::int64_t>(length);
    parsed.size = i + 1;
    return parsed;
  }
  return std::nullopt;
}

std::int64_t NextChunkBytes(std::int64_t offset, std::int64_t end,
                            std::int64_t cut_origin, std::int64_t cut) {
  std::int64_t bytes = std::min(end - offset, limits::kChunkBytesMax);
  if (cut > 0 && offset >= cut_origin) {
    bytes = std::min(bytes, cut - (offset - cut_origin) % cut);
  }
  return bytes;
}

}  // namespace hearth
