#include "hearth/matrix/byte_order.h"

#include <cstring>

namespace hearth {
namespace {

std::uint16_t Reversed(std::uint16_t value) { return __builtin_bswap16(value); }
std::uint32_t Reversed(std::uint32_t value) { return __builtin_bswap32(value); }
std::uint64_t Reversed(std::uint64_t value) { return __builtin_bswap64(value); }

template <class Word>
void SwapWords(const std::byte* from, std::byte* to, std::int64_t word_count) {
  for (std::int64_t i = 0; i < word_count; ++i) {
    Word word;
    std::memcpy(&word, from + i * std::int64_t{sizeof(Word)}, sizeof(Word));
    word = Reversed(word);
    std::memcpy(to + i * std::int64_t{sizeof(Word)}, &word, sizeof(Word));
  }
}

}  // namespace

void SwapBytes(const std::byte* from, std::byte* to, std::int64_t element_count,
               ElementType type) {
  const std::int64_t numbers = IsComplex(type) ? 2 : 1;
  const std::int64_t word_bytes = BytesOf(type) / numbers;
  const std::int64_t word_count = element_count * numbers;
  switch (word_bytes) {
    case 2:
      return SwapWords<std::uint16_t>(from, to, word_count);
    case 4:
      return SwapWords<std::uint32_t>(from, to, word_count);
    case 8:
      return SwapWords<std::uint64_t>(from, to, word_count);
    default:
      if (to != from && word_count > 0) {
        std::memcpy(to, from, static_cast<std::size_t>(word_count));
      }
  }
}

}  // namespace hearth
