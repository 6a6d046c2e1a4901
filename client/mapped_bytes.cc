#include "client/mapped_bytes.h"

namespace hearth {

std::span<const std::byte> MappedBytes::bytes() const {
  if (const auto* segment = std::get_if<SealedSegment>(&holder_)) {
    return segment->bytes();
  }
  if (const auto* file = std::get_if<File>(&holder_)) {
    return file->mapping.bytes();
  }
  return std::as_bytes(std::span(std::get<std::string>(holder_)));
}

}  // namespace hearth
