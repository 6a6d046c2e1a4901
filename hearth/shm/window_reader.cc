#include "hearth/shm/window_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

// The cache is dropped in runs of this, and not up to the last byte read: the
// kernel keeps a folio that lies across the border or was just read, and when
// it has to keep one it stops every processor to look again (20 times slower,
// measured with runs of 1 MiB). What was kept goes with the next run, which
// therefore begins a little before the last one's end.
constexpr std::int64_t kDropBytes = 16 * limits::kMiB;
constexpr std::int64_t kDropOverlapBytes = 4 * limits::kMiB;

}  // namespace

FileReading ChooseReading(std::int64_t file_bytes, std::int64_t free_bytes) {
  return file_bytes < free_bytes / 2 ? FileReading::kMappedWhole
                                     : FileReading::kByWindows;
}

WindowReader::WindowReader(const FileSource& file, std::int64_t offset,
                           std::int64_t bytes, WindowBuffer& buffer)
    : file_(file),
      buffer_(buffer),
      at_(offset),
      end_(offset + bytes),
      dropped_(offset) {
  struct stat found {};
  // Only then is it worth a call for each window to ask where the holes are.
  sparse_ = fstat(file.fd(), &found) == 0 &&
            std::int64_t{found.st_blocks} * 512 < found.st_size;
  // Doubles the kernel's read-ahead.
  // TODO(perf): where it is still small (128 KiB is usual, see
  // /sys/class/bdi/*/read_ahead_kb), a WILLNEED for the next window would let
  // the disk work while a slow operation computes. It costs a tenth here.
  (void)posix_fadvise(file.fd(), offset, bytes, POSIX_FADV_SEQUENTIAL);
}

WindowReader::~WindowReader() { Drop(at_); }

absl::StatusOr<std::span<const std::byte>> WindowReader::Next(
    std::int64_t bytes) {
  bytes = std::clamp<std::int64_t>(bytes, 0, bytes_left());
  if (bytes == 0) return std::span<const std::byte>();
  const bool hole = IsHole(bytes);
  const std::span<std::byte> writable =
      hole ? std::span<std::byte>() : buffer_.Writable(bytes);
  const std::span<const std::byte> window =
      hole ? buffer_.Zeros(bytes) : writable;
  if (window.empty()) {
    return Error(Reason::kOutOfMemory,
                 absl::StrCat("read \"", file_.path(), "\": no memory for ",
                              bytes, " bytes of it; lower --threads"));
  }
  if (!hole) HEARTH_RETURN_IF_ERROR(Read(writable));
  at_ += bytes;
  if (at_ - dropped_ >= 2 * kDropBytes) Drop(at_ - kDropBytes);
  return window;
}

bool WindowReader::IsHole(std::int64_t bytes) const {
  if (!sparse_) return false;
  const off_t data = lseek(file_.fd(), at_, SEEK_DATA);
  if (data >= 0) return data >= at_ + bytes;
  // No data from here to the end of the file: let Read find out when that end
  // has come too near.
  struct stat found {};
  return errno == ENXIO && fstat(file_.fd(), &found) == 0 &&
         found.st_size >= at_ + bytes;
}

absl::Status WindowReader::Read(std::span<std::byte> window) const {
  std::int64_t from = at_;
  while (!window.empty()) {
    const ssize_t got = pread(file_.fd(), window.data(), window.size(), from);
    if (got > 0) {
      window = window.subspan(static_cast<std::size_t>(got));
      from += got;
    } else if (got == 0) {
      return Error(Reason::kFileChanged,
                   absl::StrCat("read \"", file_.path(), "\": it ends at byte ",
                                from, " and had ", file_.identity().bytes,
                                " when it was published; publish it again"));
    } else if (errno != EINTR) {
      const int error = errno;
      return Error(Reason::kBadFile,
                   absl::StrCat("read \"", file_.path(), "\" at byte ", from,
                                ": ", absl::ErrnoToStatus(error, "").message(),
                                "; see the kernel's log about its disk"));
    }
  }
  return absl::OkStatus();
}

void WindowReader::Drop(std::int64_t until) {
  if (until <= dropped_) return;
  const std::int64_t from =
      std::max<std::int64_t>(dropped_ - kDropOverlapBytes, 0);
  (void)posix_fadvise(file_.fd(), from, until - from, POSIX_FADV_DONTNEED);
  dropped_ = until;
}

}  // namespace hearth
