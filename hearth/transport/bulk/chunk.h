// The messages of protos/bulk.proto that carry bytes, without copying them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "hearth/base/limits.h"

namespace hearth {

// What a chunk says of itself before its bytes come.
struct ChunkHead {
  std::int64_t offset = 0;
  std::uint32_t crc32c = 0;
  std::int64_t bytes = 0;
  friend bool operator==(const ChunkHead&, const ChunkHead&) = default;
};

// tag + fixed64, tag + fixed32, tag + varint of up to five bytes.
inline constexpr std::size_t kChunkHeadBytesMax = 9 + 5 + 1 + 5;

struct EncodedChunkHead {
  std::array<std::byte, kChunkHeadBytesMax> bytes = {};
  std::size_t size = 0;
};
EncodedChunkHead Encode(const ChunkHead& head);

struct ParsedChunkHead {
  ChunkHead head;
  std::size_t size = 0;  // bytes before the data
};
// None unless `bytes`, the first of a message, begin as Encode wrote them and
// the data's size is within limits::kChunkBytesMax.
std::optional<ParsedChunkHead> ParseChunkHead(std::span<const std::byte> bytes);

// Bytes of the next chunk at `offset` of a range that ends at `end`: whole
// chunks, cut where the reader wants them cut.
std::int64_t NextChunkBytes(std::int64_t offset, std::int64_t end,
                            std::int64_t cut_origin, std::int64_t cut);

}  // namespace hearth
