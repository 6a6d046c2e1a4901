#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/shm/descriptor.h"
#include "hearth/shm/fill.h"
#include "hearth/shm/segment.h"

namespace hearth {
namespace {

constexpr int kSealsNeeded = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;

absl::Status Refused(absl::string_view finding) {
  return Error(Reason::kBadUsage,
               absl::StrCat("adopt a sealed segment: ", finding,
                            "; send the descriptor of a sealed one"));
}

}  // namespace

absl::StatusOr<SealedDescriptor> SealedDescriptor::Adopt(UniqueFd fd,
                                                         std::int64_t bytes) {
  const int seals = fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0) {
    return Refused(absl::StrCat("descriptor ", fd.get(), " is no memfd"));
  }
  if ((seals & kSealsNeeded) != kSealsNeeded) {
    return Refused(absl::StrCat("it is not sealed against",
                                (seals & F_SEAL_WRITE) ? "" : " writing",
                                (seals & F_SEAL_SHRINK) ? "" : " shrinking",
                                (seals & F_SEAL_GROW) ? "" : " growing"));
  }
  // After the seals: only now can the size not change any more.
  struct stat found {};
  if (fstat(fd.get(), &found) != 0) return ErrnoStatus("fstat of a segment");
  if (found.st_size != bytes) {
    return Refused(absl::StrCat("it has ", found.st_size, " bytes where ",
                                bytes, " were announced"));
  }
  const int flags = fcntl(fd.get(), F_GETFL);
  if (flags < 0) return ErrnoStatus("F_GETFL of a segment");
  if ((flags & O_ACCMODE) != O_RDONLY) {
    // Kernels before 6.7 refuse to share-map a write-sealed memfd through a
    // descriptor that was opened for writing.
    HEARTH_ASSIGN_OR_RETURN(fd, ReopenReadOnly(fd.get()));
  }
  return SealedDescriptor(std::move(fd), bytes);
}

absl::StatusOr<SealedDescriptor> SealedDescriptor::Duplicate() const {
  HEARTH_ASSIGN_OR_RETURN(UniqueFd fd, DuplicateFd(fd_.get()));
  return SealedDescriptor(std::move(fd), bytes_);
}

std::int64_t SealedDescriptor::ResidentBytes() const {
  struct stat found {};
  if (fstat(fd_.get(), &found) != 0) return 0;
  return std::int64_t{found.st_blocks} * 512;  // POSIX: units of 512
}

absl::StatusOr<SealedSegment> SealedSegment::Map(SealedDescriptor descriptor) {
  HEARTH_ASSIGN_OR_RETURN(Mapping mapping,
                          Mapping::Of(descriptor.fd(), 0, descriptor.bytes(),
                                      MapAccess::kRead, "a segment"));
  return SealedSegment(std::move(descriptor), std::move(mapping));
}

absl::StatusOr<SealedSegment> SealedSegment::Adopt(UniqueFd fd,
                                                   std::int64_t bytes) {
  HEARTH_ASSIGN_OR_RETURN(SealedDescriptor descriptor,
                          SealedDescriptor::Adopt(std::move(fd), bytes));
  return Map(std::move(descriptor));
}

absl::StatusOr<SealedSegment> SealedSegment::CopyOf(
    std::span<const std::byte> bytes, const MemoryLimits& limits) {
  HEARTH_ASSIGN_OR_RETURN(
      OpenSegment open,
      OpenSegment::Create(static_cast<std::int64_t>(bytes.size()), limits));
  HEARTH_RETURN_IF_ERROR(CopyIntoSegment(open, 0, bytes, limits));
  return open.Seal();
}

absl::StatusOr<SealedSegment> SealedSegment::Duplicate() const {
  HEARTH_ASSIGN_OR_RETURN(SealedDescriptor descriptor, descriptor_.Duplicate());
  return Map(std::move(descriptor));
}

}  // namespace hearth
