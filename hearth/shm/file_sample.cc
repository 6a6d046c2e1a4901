#include "hearth/shm/file_sample.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <span>

#include "absl/strings/str_cat.h"
#include "hearth/base/crc32c.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

constexpr std::int64_t kBlocks = 64;
constexpr std::int64_t kBlockBytes = 4096;

// splitmix64 (Steele, Lea and Flood, 2014): every seed gives good numbers.
std::uint64_t Mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Where the sample's blocks begin: all, of a file with no more than there are.
std::vector<std::int64_t> OffsetsOf(std::int64_t bytes, std::uint64_t seed) {
  const std::int64_t there_are = (bytes + kBlockBytes - 1) / kBlockBytes;
  std::vector<std::int64_t> offsets;
  if (there_are <= kBlocks) {
    for (std::int64_t block = 0; block < there_are; ++block) {
      offsets.push_back(block * kBlockBytes);
    }
    return offsets;
  }
  offsets = {0, (there_are - 1) * kBlockBytes};
  while (std::ssize(offsets) < kBlocks) {
    const std::uint64_t chosen =
        Mix(seed + offsets.size()) % static_cast<std::uint64_t>(there_are);
    offsets.push_back(static_cast<std::int64_t>(chosen) * kBlockBytes);
  }
  return offsets;
}

absl::StatusOr<std::uint32_t> ChecksumAt(const FileSource& file,
                                         std::int64_t offset) {
  std::array<std::byte, kBlockBytes> bytes;
  std::size_t have = 0;
  const auto wanted = static_cast<std::size_t>(
      std::min(kBlockBytes, file.identity().bytes - offset));
  while (have < wanted) {
    const ssize_t now = pread(file.fd(), bytes.data() + have, wanted - have,
                              offset + static_cast<std::int64_t>(have));
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) {
      return ErrnoStatus(absl::StrCat("read \"", file.path(), "\""));
    }
    if (now == 0) break;  // truncated just now: another checksum
    have += static_cast<std::size_t>(now);
  }
  return Crc32c(std::span(bytes).first(have));
}

}  // namespace

absl::StatusOr<FileSample> SampleOf(const FileSource& file,
                                    std::uint64_t seed) {
  FileSample sample{.seed = seed};
  for (const std::int64_t offset : OffsetsOf(file.identity().bytes, seed)) {
    HEARTH_ASSIGN_OR_RETURN(const std::uint32_t checksum,
                            ChecksumAt(file, offset));
    sample.checksums.push_back(checksum);
  }
  return sample;
}

absl::StatusOr<FileIdentity> Recognize(const FileSource& file,
                                       const FileIdentity& published,
                                       const FileSample& sample) {
  const FileIdentity& found = file.identity();
  const bool may_be_it =
      found.device != published.device && found.bytes == published.bytes &&
      found.modified_ns == published.modified_ns && !sample.checksums.empty();
  if (!may_be_it) {
    HEARTH_RETURN_IF_ERROR(file.Verify(published));
    return published;
  }
  const std::vector<std::int64_t> offsets = OffsetsOf(found.bytes, sample.seed);
  if (offsets.size() != sample.checksums.size()) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("recognize \"", file.path(), "\": a sample of ",
                              sample.checksums.size(), " blocks is not what ",
                              found.bytes, " bytes give"));
  }
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    HEARTH_ASSIGN_OR_RETURN(const std::uint32_t checksum,
                            ChecksumAt(file, offsets[i]));
    if (checksum == sample.checksums[i]) continue;
    return Error(
        Reason::kFileChanged,
        absl::StrCat("read \"", file.path(), "\": on this host its bytes at ",
                     offsets[i],
                     " are not those of the file that was published; publish "
                     "what all hosts see, or put it with --copy"));
  }
  return found;
}

}  // namespace hearth
