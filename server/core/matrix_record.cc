#include "server/core/matrix_record.h"

#include "hearth/matrix/partition.h"

namespace hearth::server {

std::vector<SegmentPart> SegmentsOf(const MatrixRecord& matrix) {
  if (const auto* whole = std::get_if<SegmentSource>(&matrix.source)) {
    return {{whole, 0, Partition(matrix.layout).block_count(),
             matrix.layout.bytes()}};
  }
  std::vector<SegmentPart> parts;
  const auto* spread = std::get_if<SpreadSource>(&matrix.source);
  if (spread == nullptr) return parts;
  const Partition partition(matrix.layout);
  const std::int64_t element_bytes = BytesOf(matrix.layout.type);
  parts.reserve(spread->pieces.size());
  for (const Piece& piece : spread->pieces) {
    parts.push_back(
        {&piece.segment, piece.block_begin, piece.block_end,
         partition.Joined(piece.block_begin, piece.block_end).element_count *
             element_bytes});
  }
  return parts;
}

}  // namespace hearth::server
