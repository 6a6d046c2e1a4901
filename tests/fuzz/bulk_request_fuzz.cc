#include "hearth/transport/bulk/bulk_request.h"
#include "hearth/transport/bulk/chunk.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(bulk_request) {
  constexpr std::int64_t kSegmentBytes = std::int64_t{1} << 40;
  constexpr int kChunksLookedAt = 100;
  hearth::proto::BulkRequest request;
  if (!request.ParseFromArray(input.data(), static_cast<int>(input.size())) ||
      !hearth::CheckRange(request, kSegmentBytes).ok()) {
    return;
  }
  std::int64_t offset = request.offset();
  const std::int64_t end = offset + request.bytes();
  Require(offset >= 0 && end <= kSegmentBytes);
  for (int i = 0; i < kChunksLookedAt && offset < end; ++i) {
    const std::int64_t bytes = hearth::NextChunkBytes(
        offset, end, request.cut_origin(), request.cut());
    Require(bytes > 0 && bytes <= hearth::limits::kChunkBytesMax &&
            bytes <= end - offset);
    offset += bytes;
  }
}
