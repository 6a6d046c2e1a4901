#include "hearth/shm/window_reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/read_file.h"
#include "hearth/base/status.h"
#include "hearth/shm/descriptor.h"
#include "hearth/shm/page_size.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace hearth {
namespace {

// The kernel keeps a folio that lies across the end of what it is told to drop;
// what was kept goes with the next run, which begins that much earlier.
constexpr std::int64_t kDropOverlapBytes = 4 * limits::kMiB;

// Below this, a disk waits for the next fault more than it reads.
constexpr std::int64_t kReadAheadForMappingBytes = 4 * limits::kMiB;

// 0 where the kernel doesn't tell, as for some network file systems.
std::int64_t ReadAheadBytes(dev_t device) {
  const auto number = absl::StrCat(major(device), ":", minor(device));
  for (const auto& path :
       {absl::StrCat("/sys/class/bdi/", number, "/read_ahead_kb"),
        // A partition's is its disk's.
        absl::StrCat("/sys/dev/block/", number, "/../queue/read_ahead_kb")}) {
    const auto text = ReadSmallFile(path);
    std::int64_t kib = 0;
    if (text.ok() && absl::SimpleAtoi(*text, &kib)) return kib * limits::kKiB;
  }
  return 0;
}

absl::Status CutOff(absl::string_view attempt) {
  return Error(Reason::kFileChanged,
               absl::StrCat(attempt,
                            "it was truncated since it was published, or its "
                            "disk failed; publish it again"));
}

absl::Status NoMemory(absl::string_view attempt) {
  return Error(Reason::kOutOfMemory,
               absl::StrCat(attempt, "the kernel has no memory for them"));
}

}  // namespace

WindowAccess ChooseAccess(std::int64_t read_ahead_bytes) {
  return read_ahead_bytes < kReadAheadForMappingBytes ? WindowAccess::kCopied
                                                      : WindowAccess::kMapped;
}

FileReading ChooseReading(std::int64_t file_bytes, std::int64_t free_bytes) {
  return file_bytes < free_bytes / 2 ? FileReading::kMappedWhole
                                     : FileReading::kByWindows;
}

// Mapped windows take half of the processor time of copies. Neither
// MADV_SEQUENTIAL (single pages instead of large folios: half the speed) nor
// O_DIRECT (half the speed of read-ahead on the disk it was measured on).
WindowReader::WindowReader(const FileSource& file, std::int64_t offset,
                           std::int64_t bytes,
                           std::optional<WindowAccess> access)
    : file_(file), at_(offset), end_(offset + bytes), dropped_(offset) {
  // The read-ahead of one open file follows one reader.
  if (auto fd = ReopenReadOnly(file.fd()); fd.ok()) own_fd_ = *std::move(fd);
  struct stat found {};
  // Only then is it worth a call for each piece to ask where the holes are.
  sparse_ = fstat(file.fd(), &found) == 0 &&
            std::int64_t{found.st_blocks} * 512 < found.st_size;
  access_ =
      access.has_value() ? *access : ChooseAccess(ReadAheadBytes(found.st_dev));
}

WindowReader::~WindowReader() { Drop(); }

absl::StatusOr<std::span<const std::byte>> WindowReader::Next(
    std::int64_t bytes) {
  bytes = std::clamp<std::int64_t>(bytes, 0, bytes_left());
  const auto size = static_cast<std::size_t>(bytes);
  if (IsHole(bytes)) {
    Drop();
    if (zeros_.bytes().size() < size) {
      HEARTH_ASSIGN_OR_RETURN(zeros_, Mapping::Zeros(bytes));
    }
    at_ += bytes;
    return zeros_.bytes().first(size);
  }
  if (access_ == WindowAccess::kCopied) return Copy(bytes);
  const auto window_end =
      window_begin_ + static_cast<std::int64_t>(window_.bytes().size());
  if (window_.bytes().empty() || at_ + bytes > window_end) {
    HEARTH_RETURN_IF_ERROR(MoveWindow(bytes));
  }
  const auto piece = window_.bytes().subspan(
      static_cast<std::size_t>(at_ - window_begin_), size);
  HEARTH_RETURN_IF_ERROR(Populate(piece));
  at_ += bytes;
  read_to_ = at_;
  return piece;
}

absl::StatusOr<std::span<const std::byte>> WindowReader::Copy(
    std::int64_t bytes) {
  const std::int64_t page = PageBytes();
  if (copy_bytes_ < bytes + 2 * page) {
    copy_.reset(new (std::nothrow)
                    std::byte[static_cast<std::size_t>(bytes + 2 * page)]);
    copy_bytes_ = copy_ == nullptr ? 0 : bytes + 2 * page;
    if (copy_ == nullptr) return NoMemory(Attempt(bytes));
  }
  const auto address = reinterpret_cast<std::uintptr_t>(copy_.get());
  const auto first_page =
      (page - static_cast<std::int64_t>(address) % page) % page;
  std::byte* const begin = copy_.get() + first_page + at_ % page;
  for (std::int64_t done = 0; done < bytes;) {
    const ssize_t got = pread(
        fd(), begin + done, static_cast<std::size_t>(bytes - done), at_ + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOMEM) return NoMemory(Attempt(bytes));
    if (got <= 0) return CutOff(Attempt(bytes));
    done += got;
  }
  at_ += bytes;
  // Not behind every small piece: a call may wait for all processors.
  if (at_ - dropped_ >= limits::kWindowBytes) Drop();
  return std::span<const std::byte>(begin, static_cast<std::size_t>(bytes));
}

bool WindowReader::IsHole(std::int64_t bytes) const {
  if (!sparse_ || bytes == 0) return false;
  const off_t data = lseek(file_.fd(), at_, SEEK_DATA);
  if (data >= 0) return data >= at_ + bytes;
  // No data from here to the end of the file; unless that end has come too
  // near, which MoveWindow finds out.
  struct stat found {};
  return errno == ENXIO && fstat(file_.fd(), &found) == 0 &&
         found.st_size >= at_ + bytes;
}

absl::Status WindowReader::MoveWindow(std::int64_t bytes) {
  Drop();
  const std::int64_t length =
      std::min(bytes_left(), std::max(bytes, limits::kWindowBytes));
  HEARTH_ASSIGN_OR_RETURN(Mapping window,
                          Mapping::Of(fd(), at_, length, MapAccess::kRead,
                                      absl::StrCat("\"", file_.path(), "\"")));
  if (at_ != read_to_) BeginStream();
  window_begin_ = at_;
  window_ = std::move(window);
  return absl::OkStatus();
}

// Two reads in a row tell the kernel to read ahead from here on. A fault would
// make it read around itself, half of that before it, where others are or were.
void WindowReader::BeginStream() const {
  std::array<std::byte, 32 * limits::kKiB> ignored;
  for (std::int64_t i = 0; i < 2; ++i) {
    const auto begin = at_ + i * std::ssize(ignored);
    const auto bytes =
        std::min<std::int64_t>(std::ssize(ignored), end_ - begin);
    // Whatever fails here fails again where it is told.
    if (bytes > 0 && pread(fd(), ignored.data(),
                           static_cast<std::size_t>(bytes), begin) <= 0)
      return;
  }
}

// Reads `piece` of the window and nothing behind it: the range often goes on
// where another reader's begins.
absl::Status WindowReader::Populate(std::span<const std::byte> piece) const {
  if (piece.empty()) return absl::OkStatus();
  const std::span<std::byte> pages = window_.pages();
  const auto page_bytes = static_cast<std::size_t>(PageBytes());
  const auto begin = static_cast<std::size_t>(piece.data() - pages.data()) /
                     page_bytes * page_bytes;
  const auto end =
      static_cast<std::size_t>(piece.data() + piece.size() - pages.data());
  // Kernels before 5.14 don't know it (EINVAL): there each fault reads on.
  while (madvise(pages.data() + begin, end - begin, MADV_POPULATE_READ) != 0 &&
         errno != EINVAL) {
    if (errno == EINTR || errno == EAGAIN) continue;
    // Else EFAULT, EHWPOISON: where plain reading would raise SIGBUS.
    const bool no_memory = errno == ENOMEM;
    const std::string attempt = Attempt(std::ssize(piece));
    return no_memory ? NoMemory(attempt) : CutOff(attempt);
  }
  return absl::OkStatus();
}

std::string WindowReader::Attempt(std::int64_t bytes) const {
  return absl::StrCat("read ", bytes, " bytes at ", at_, " of \"", file_.path(),
                      "\": ");
}

void WindowReader::Drop() {
  window_ = Mapping();  // mapped pages can't be dropped
  if (at_ <= dropped_) return;
  const std::int64_t from =
      std::max<std::int64_t>(dropped_ - kDropOverlapBytes, 0);
  (void)posix_fadvise(file_.fd(), from, at_ - from, POSIX_FADV_DONTNEED);
  dropped_ = at_;
}

}  // namespace hearth
