#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "hearth/shm/file_source.h"

namespace hearth {

// Checksums of 64 blocks of a file: the first, the last, and others that a seed
// chooses. Two hosts that find the same ones, the same size and the same time
// of change see one file, by whatever path and device: a shared file system
// numbers its devices, and some their inodes, on each host anew.
//
// Kind: value. Not proof against who writes elsewhere and sets the time back.
struct FileSample {
  std::uint64_t seed = 0;
  std::vector<std::uint32_t> checksums = {};  // empty: none was taken

  friend bool operator==(const FileSample&, const FileSample&) = default;
};

// Reads up to 256 KiB. The file's own error where it can't be read.
absl::StatusOr<FileSample> SampleOf(const FileSource& file, std::uint64_t seed);

// `file`, opened on this host, is the one that was published, perhaps on
// another host: by which identity to know it here from now on. FILE_CHANGED
// saying what differs. On the device where it was published only the very file
// will do.
absl::StatusOr<FileIdentity> Recognize(const FileSource& file,
                                       const FileIdentity& published,
                                       const FileSample& sample);

}  // namespace hearth
