#include "hearth/transport/bulk/chunk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <string_view>
#include <vector>

#include "hearth/base/crc32c.h"

namespace hearth {
namespace {

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(Chunk, ItsChecksumIsCastagnolis) {
  // RFC 3720 B.4 and the usual check value.
  EXPECT_EQ(Crc32c(BytesOf("123456789")), 0xe3069283U);
  EXPECT_EQ(Crc32c(std::vector<std::byte>(32)), 0x8a9136aaU);
  EXPECT_EQ(Crc32c(BytesOf("6789"), Crc32c(BytesOf("12345"))), 0xe3069283U);
  EXPECT_EQ(Crc32c({}), 0U);
}

TEST(Chunk, ItsHeadComesBackFromItsBytes) {
  for (const std::int64_t bytes :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{127}, std::int64_t{128},
        std::int64_t{16384}, limits::kChunkBytesMax}) {
    const ChunkHead head{INT64_MAX - bytes, 0xdeadbeef, bytes};
    const EncodedChunkHead encoded = Encode(head);
    const auto parsed =
        ParseChunkHead(std::span(encoded.bytes).first(encoded.size));
    ASSERT_TRUE(parsed.has_value()) << bytes;
    EXPECT_EQ(parsed->head, head);
    EXPECT_EQ(parsed->size, encoded.size);
  }
}

TEST(Chunk, AHeadThatIsCutOffOrTooLargeIsNone) {
  const EncodedChunkHead encoded = Encode({0, 1, limits::kChunkBytesMax});
  for (std::size_t size = 0; size < encoded.size; ++size) {
    EXPECT_FALSE(ParseChunkHead(std::span(encoded.bytes).first(size))) << size;
  }
  const EncodedChunkHead large = Encode({0, 1, limits::kChunkBytesMax + 1});
  EXPECT_FALSE(ParseChunkHead(std::span(large.bytes).first(large.size)));
  const EncodedChunkHead negative = Encode({-1, 1, 1});
  EXPECT_FALSE(ParseChunkHead(std::span(negative.bytes).first(negative.size)));
}

TEST(Chunk, AnyBytesAreReadOrRefused) {
  std::mt19937_64 random(3);
  std::vector<std::byte> bytes;
  for (int i = 0; i < 200'000; ++i) {
    bytes.resize(random() % 24);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    if (i % 2 == 0 && bytes.size() > 14) {  // past the first look
      bytes[0] = std::byte{0x09};
      bytes[9] = std::byte{0x15};
      bytes[14] = std::byte{0x7a};
    }
    const auto parsed = ParseChunkHead(bytes);
    if (!parsed.has_value()) continue;
    EXPECT_LE(parsed->size, bytes.size());
    EXPECT_GE(parsed->head.offset, 0);
    EXPECT_LE(parsed->head.bytes, limits::kChunkBytesMax);
  }
}

TEST(Chunk, IsCutWhereTheReaderWantsIt) {
  constexpr std::int64_t kMax = limits::kChunkBytesMax;
  EXPECT_EQ(NextChunkBytes(0, 10, 0, 0), 10);
  EXPECT_EQ(NextChunkBytes(0, 3 * kMax, 0, 0), kMax);
  EXPECT_EQ(NextChunkBytes(0, 100, 0, 30), 30);
  EXPECT_EQ(NextChunkBytes(45, 100, 0, 30), 15);
  EXPECT_EQ(NextChunkBytes(45, 100, 5, 30), 20);
  EXPECT_EQ(NextChunkBytes(90, 100, 0, 30), 10);
  EXPECT_EQ(NextChunkBytes(kMax, 10 * kMax, 0, kMax + 7), 7);
}

}  // namespace
}  // namespace hearth
