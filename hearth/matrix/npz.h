// The .npz format: a zip archive of .npy files. Only stored (uncompressed)
// members are read, because only those can be mapped in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/matrix/npy.h"
#include "hearth/matrix/read_range.h"

namespace hearth {

// Where a member's bytes lie: a whole .npy file within the file.
struct NpzRange {
  std::int64_t offset = 0;
  std::int64_t bytes = 0;

  friend bool operator==(const NpzRange&, const NpzRange&) = default;
};

// Finds `member` ("weights", or "weights.npy") in the archive of `file_bytes`
// bytes, zip64 or not. Of two members of one name the last counts, as in
// Python. `file` is for messages only. Any byte may be hostile: reads and
// allocates the archive's directory at most, up to
// limits::kNpzDirectoryBytesMax. The member's checksum is not verified: that
// would read all of it.
//
// FILE_MISSING lists the members there are; BAD_FILE says that the member is
// compressed or encrypted, or where the archive is damaged; else what `read`
// returned.
absl::StatusOr<NpzRange> FindNpzMember(absl::string_view file,
                                       std::int64_t file_bytes,
                                       absl::string_view member,
                                       ReadRange read);

// The same, and the member's .npy header, its payload_offset counted from the
// start of the whole file.
absl::StatusOr<NpyHeader> FindNpzArray(absl::string_view file,
                                       std::int64_t file_bytes,
                                       absl::string_view member,
                                       ReadRange read);

// zlib's CRC-32 of `bytes`, continuing from that of the bytes before them.
std::uint32_t Crc32(std::span<const std::byte> bytes,
                    std::uint32_t crc_before = 0);

// Says which bytes stand around the payloads of a stored .npz. The file is
//
//   BeginArray(a) · a's payload · BeginArray(b) · b's payload · ... · Finish()
//
// written by the caller, who has the payloads. Each payload begins at a
// multiple of 64 bytes, so that it can be mapped and read as it lies; zip64 is
// used where 4 GiB or 65,535 members ask for it. Equal arrays give equal bytes:
// no clock is read.
//
// Kind: value. Not for two threads at once.
class NpzWriter {
 public:
  // `payload_crc32`: Crc32 of the layout.bytes() bytes that follow. BAD_USAGE
  // for a name that is empty, longer than limits::kNameBytesMax or given
  // before, for bfloat16, and for an archive of 2^63 bytes.
  absl::StatusOr<std::string> BeginArray(absl::string_view name,
                                         const MatrixLayout& layout,
                                         std::uint32_t payload_crc32);

  // The archive's directory: its last bytes.
  std::string Finish() const;

 private:
  struct Entry {
    std::string file_name;  // with .npy
    std::int64_t offset = 0;
    std::int64_t bytes = 0;  // header and payload
    std::uint32_t crc32 = 0;
  };

  std::vector<Entry> entries_;
  std::int64_t bytes_ = 0;  // of everything up to the last payload's end
};

}  // namespace hearth
