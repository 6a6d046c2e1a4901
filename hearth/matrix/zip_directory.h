// Where the members of a zip archive are, as its directory says.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/matrix/read_range.h"

namespace hearth::zip {

// The directory of an archive, found and in memory, its entries not read yet.
struct Directory {
  std::int64_t offset = 0;  // members lie before it
  std::string text;
};

// One member. The numbers are as the archive gives them: nobody has compared
// them with the file's size.
struct Entry {
  absl::string_view name;  // within the directory's text
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;  // of the local header
};

// Finds the directory from the file's end. BAD_FILE where there is none or it
// lies outside of the file, TOO_LARGE past limits::kNpzDirectoryBytesMax.
absl::StatusOr<Directory> ReadDirectory(absl::string_view file,
                                        std::int64_t file_bytes,
                                        ReadRange read);

// Takes the first entry off `directory`, which is not empty.
absl::StatusOr<Entry> TakeEntry(absl::string_view file,
                                absl::string_view& directory);

absl::StatusOr<std::string> ReadBytes(ReadRange read, std::int64_t offset,
                                      std::int64_t bytes);

// Without an overflow, whatever the numbers.
bool LiesWithin(std::uint64_t offset, std::uint64_t bytes, std::int64_t limit);

// `read "x.npz": FINDING; the file is damaged or was not written by ...`.
absl::Status Damage(absl::string_view file, absl::string_view finding);

}  // namespace hearth::zip
