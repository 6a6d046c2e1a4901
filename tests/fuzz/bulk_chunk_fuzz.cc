#include <span>

#include "hearth/transport/bulk/chunk.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(bulk_chunk) {
  const auto parsed = hearth::ParseChunkHead(
      std::as_bytes(std::span(input.data(), input.size())));
  if (!parsed.has_value()) return;
  Require(parsed->size <= input.size());
  Require(parsed->head.offset >= 0 && parsed->head.bytes >= 0 &&
          parsed->head.bytes <= hearth::limits::kChunkBytesMax);
  const auto encoded = hearth::Encode(parsed->head);
  const auto again =
      hearth::ParseChunkHead(std::span(encoded.bytes).first(encoded.size));
  Require(again.has_value() && again->head == parsed->head);
}
