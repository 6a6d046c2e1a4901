// The .npy format, versions 1.0 to 3.0 (numpy/lib/format.py), read and written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/matrix/layout.h"

namespace hearth {

struct NpyHeader {
  MatrixLayout layout;
  std::int64_t payload_offset =
      0;  // bytes from the start of the file; any alignment

  friend bool operator==(const NpyHeader&, const NpyHeader&) = default;
};

// How many leading bytes ParseNpyHeader may need; shorter files are read whole.
inline constexpr std::int64_t kNpyHeaderReadBytes = 64 * 1024 + 12;

// Reads a header from the first bytes of a file of `file_bytes` bytes (the
// first kNpyHeaderReadBytes, or all). Any byte may be hostile: nothing is
// allocated beyond a few copies of the header. `file` is for messages only.
// BAD_FILE names the field: magic, version, header length, descr,
// fortran_order, shape, or the size when the payload lacks bytes (trailing
// ones are accepted); TOO_LARGE a header past limits::kNpyHeaderBytesMax.
absl::StatusOr<NpyHeader> ParseNpyHeader(std::span<const std::byte> head,
                                         std::int64_t file_bytes,
                                         absl::string_view file);

// A version 1.0 header, byte for byte NumPy's own, padded so that the payload
// begins at a multiple of 64 bytes. Foreign byte order is written as such.
// BAD_USAGE for bfloat16, which NumPy does not have.
absl::StatusOr<std::string> FormatNpyHeader(const MatrixLayout& layout);

}  // namespace hearth
