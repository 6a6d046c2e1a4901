#include "hearth/shm/segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "hearth/base/error.h"
#include "hearth/base/memfd.h"
#include "hearth/base/status.h"
#include "hearth/shm/descriptor.h"
#include "hearth/shm/mapper_search.h"
#include "hearth/shm/page_size.h"

namespace hearth {
namespace {

// F_SEAL_SEAL too: nobody may add seals later, so all holders see the same set.
constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

// One call writes at most this (Linux: 2 GiB less a page); smaller pieces also
// keep a signal waiting for less time.
constexpr std::size_t kWriteBytesMax = std::size_t{64} << 20;

// The kernel refuses a write seal at once where somebody maps the segment
// writable, but waits a while, 100 ms and more, for pages that are held by a
// device, or by itself, which moves and ages them: those it lets go of soon.
int AddSeals(int fd) {
  constexpr int kTriesMax = 5;
  for (int i = 1;; ++i) {
    const absl::Time begin = absl::Now();
    if (fcntl(fd, F_ADD_SEALS, kSeals) == 0) return 0;
    const int error = errno;
    const bool has_waited = absl::Now() - begin > absl::Milliseconds(50);
    errno = error;
    if (error != EBUSY || !has_waited || i == kTriesMax) return -1;
  }
}

absl::Status Busy(const struct stat& found, std::int64_t bytes,
                  std::span<const std::byte> own_view) {
  const std::string thing =
      absl::StrCat("seal a segment of ", bytes, " bytes: ");
  const std::vector<pid_t> writers =
      WritersOf(found.st_dev, found.st_ino, own_view);
  if (writers.empty()) {
    return Error(Reason::kSegmentBusy,
                 absl::StrCat(thing,
                              "a process that we may not look at maps it "
                              "writable, or a device still writes to it; end "
                              "that and seal again"));
  }
  std::vector<std::string> names;
  for (const pid_t pid : writers) {
    names.push_back(pid == getpid() ? absl::StrCat(pid, " (this process)")
                                    : absl::StrCat(pid));
  }
  return Error(
      Reason::kSegmentBusy,
      absl::StrCat(thing, "still mapped writable by process ",
                   absl::StrJoin(names, ", "),
                   "; let those unmap it or end (a forked child inherits "
                   "every mapping), and seal again"));
}

}  // namespace

absl::StatusOr<OpenSegment> OpenSegment::Create(std::int64_t bytes,
                                                const MemoryLimits& limits,
                                                const SegmentOptions& options) {
  const std::string attempt = absl::StrCat("create a segment of ", bytes);
  if (bytes < 0) {
    return Error(Reason::kBadUsage,
                 absl::StrCat(attempt, " bytes: a size is never negative"));
  }
  HEARTH_RETURN_IF_ERROR(limits.Reserve(
      std::min(bytes, options.touched_bytes_max), "create a segment"));
  UniqueFd fd = NewMemfd(options.label);
  if (!fd.valid()) return ErrnoStatus("create a segment: memfd_create");
  if (ftruncate(fd.get(), bytes) != 0) {
    return ErrnoStatus(absl::StrCat(attempt, " bytes"));
  }
  // What memfd_create made is the one open file that the kernel's leases don't
  // count: a keeper would take this segment for nobody's (held_probe.h).
  absl::StatusOr<UniqueFd> counted = ReopenForWriting(fd.get());
  return OpenSegment(counted.ok() ? *std::move(counted) : std::move(fd), bytes,
                     options.huge_pages);
}

absl::StatusOr<OpenSegment> OpenSegment::Adopt(UniqueFd fd,
                                               std::int64_t bytes) {
  const auto refused = [](absl::string_view finding) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("adopt an open segment: ", finding,
                              "; send the descriptor of an open one"));
  };
  const int seals = fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0) {
    return refused(absl::StrCat("descriptor ", fd.get(), " is no memfd"));
  }
  if ((seals & (F_SEAL_SEAL | F_SEAL_WRITE)) != 0) {
    return refused("it is sealed already, or can't be sealed");
  }
  struct stat found {};
  if (fstat(fd.get(), &found) != 0) return ErrnoStatus("fstat of a segment");
  if (found.st_size != bytes) {
    return refused(absl::StrCat("it has ", found.st_size, " bytes where ",
                                bytes, " were announced"));
  }
  const int flags = fcntl(fd.get(), F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) != O_RDWR) {
    return refused("it is not open for reading and writing");
  }
  return OpenSegment(std::move(fd), bytes, /*huge_pages=*/true);
}

absl::StatusOr<std::span<std::byte>> OpenSegment::Map() {
  if (view_.bytes().empty()) {
    HEARTH_ASSIGN_OR_RETURN(view_, MapRange(0, bytes_));
  }
  return view_.writable_bytes();
}

absl::StatusOr<Mapping> OpenSegment::MapRange(std::int64_t offset,
                                              std::int64_t bytes) const {
  if (offset < 0 || bytes < 0 || offset > bytes_ - bytes) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("map [", offset, ", +", bytes,
                              ") of a segment: it has ", bytes_, " bytes"));
  }
  HEARTH_ASSIGN_OR_RETURN(Mapping mapping,
                          Mapping::Of(fd_.get(), offset, bytes,
                                      MapAccess::kReadWrite, "a segment"));
  if (huge_pages_) AdviseHugePages(mapping.pages());
  return mapping;
}

absl::Status OpenSegment::WriteAt(std::int64_t offset,
                                  std::span<const std::byte> from) const {
  const std::string attempt =
      absl::StrCat("write ", from.size(), " bytes at ", offset,
                   " of a segment of ", bytes_, " bytes");
  if (offset < 0 || static_cast<std::int64_t>(from.size()) > bytes_ ||
      offset > bytes_ - static_cast<std::int64_t>(from.size())) {
    return Error(Reason::kBadUsage,
                 absl::StrCat(attempt, ": they don't lie within it"));
  }
  while (!from.empty()) {
    const std::size_t piece = std::min(from.size(), kWriteBytesMax);
    const ssize_t written = pwrite(fd_.get(), from.data(), piece, offset);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno == EPERM) {
        return Error(Reason::kNotAllowed,
                     absl::StrCat(attempt, ": it is sealed; create a new one"));
      }
      if (errno == ENOMEM || errno == ENOSPC) {
        return Error(Reason::kOutOfMemory,
                     absl::StrCat(attempt, ": the kernel has no page left"));
      }
      return ErrnoStatus(attempt);
    }
    from = from.subspan(static_cast<std::size_t>(written));
    offset += written;
  }
  return absl::OkStatus();
}

absl::StatusOr<SealedSegment> OpenSegment::Seal(const SealOptions& options) {
  struct stat found {};
  if (fstat(fd_.get(), &found) != 0) return ErrnoStatus("fstat of a segment");
  if (found.st_size != bytes_) {
    return Error(
        Reason::kBadUsage,
        absl::StrCat("seal a segment of ", bytes_, " bytes: it has ",
                     found.st_size, " now; another holder resized it"));
  }
  HEARTH_ASSIGN_OR_RETURN(UniqueFd read_only, ReopenReadOnly(fd_.get()));
  // The kernel refuses a write seal while anybody could write through a
  // mapping; so ours goes first, and comes back should the seal be refused.
  HEARTH_RETURN_IF_ERROR(
      view_.RemapInPlace(read_only.get(), options.own_view, "a segment"));
  // Whatever else can fail comes before the seals, too.
  Mapping fresh;
  if (view_.bytes().empty()) {
    HEARTH_ASSIGN_OR_RETURN(fresh, Mapping::Of(read_only.get(), 0, bytes_,
                                               MapAccess::kRead, "a segment"));
  }
  if (AddSeals(fd_.get()) != 0) {
    const int error = errno;
    // At once: the others' names take milliseconds to find, and what a thread
    // of ours writes meanwhile nobody would see.
    HEARTH_RETURN_IF_ERROR(
        view_.RemapInPlace(fd_.get(), MapAccess::kReadWrite, "a segment"));
    if (error == EBUSY) return Busy(found, bytes_, view_.pages());
    errno = error;
    return ErrnoStatus("seal a segment");
  }
  HEARTH_ASSIGN_OR_RETURN(
      SealedDescriptor checked,
      SealedDescriptor::Adopt(std::move(read_only), bytes_));
  // Under the same number, in one step: another thread may be sending it just
  // now, and a number that is free for a moment is another segment's the next.
  // Fails only where the limit of open files was lowered meanwhile; then it
  // stays what was opened for writing, which the seal forbids.
  while (dup3(checked.fd(), fd_.get(), O_CLOEXEC) < 0 && errno == EINTR) {
  }
  Mapping view = std::move(view_.bytes().empty() ? fresh : view_);
  return SealedSegment(
      SealedDescriptor(std::move(fd_), std::exchange(bytes_, 0)),
      std::move(view));
}

}  // namespace hearth
