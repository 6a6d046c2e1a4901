#include "client/cli/output/output_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/output/units.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"

namespace hearth::client {
namespace {

namespace fs = std::filesystem;

// As many as the kernel follows.
constexpr int kLinksMax = 40;

// One write at most; the kernel itself stops at 2 GiB.
constexpr std::size_t kWriteBytesMax = std::size_t{64} << 20;

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A name beside `path` that nobody else has.
std::string BesideOf(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  return absl::StrCat(directory, "/.hearth-", Id::Random().ToString());
}

// What went wrong with `path`, from errno, as a sentence.
absl::Status FileError(const std::string& path) {
  const int error = errno;
  const std::string attempt = absl::StrCat("write ", Quoted(path), ": ");
  const std::string directory = Quoted(DirectoryOf(path));
  switch (error) {
    case ENOENT:
      if (access(DirectoryOf(path).c_str(), F_OK) == 0) {
        return Error(Reason::kNotAllowed,
                     absl::StrCat(attempt, "no file can be made in ", directory,
                                  "; choose another directory"));
      }
      return Error(Reason::kFileMissing,
                   absl::StrCat(attempt, "there is no directory ", directory,
                                "; make it first"));
    case ENOTDIR:
      return Error(
          Reason::kFileMissing,
          absl::StrCat(attempt, directory, " is not a directory; choose one"));
    case ENAMETOOLONG:
      return Error(
          Reason::kNotAllowed,
          absl::StrCat(attempt, "the name is too long; choose a shorter one"));
    case EACCES:
    case EPERM:
    case EROFS:
      return Error(
          Reason::kNotAllowed,
          absl::StrCat(attempt, "not permitted in ", directory, " (",
                       std::strerror(error), "); choose another directory"));
    case ENOSPC:
    case EDQUOT:
      return Error(Reason::kOutOfDisk,
                   absl::StrCat(attempt, "no room in ", directory, " (",
                                std::strerror(error),
                                "); free some, or choose another directory"));
    case EFBIG:
      return Error(
          Reason::kOutOfDisk,
          absl::StrCat(attempt, "it is larger than a file may be here (",
                       std::strerror(error),
                       "; ulimit -f); raise the limit, or choose "
                       "another directory"));
    default:
      errno = error;
      return ErrnoStatus(absl::StrCat("write ", Quoted(path)));
  }
}

// The file that a symbolic link stands for, so that the link stays one.
absl::StatusOr<std::string> Target(const std::string& path) {
  struct stat found {};
  const bool names_none = path.empty() || path.back() == '/';
  if (names_none ||
      (stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode))) {
    return Error(names_none ? Reason::kBadUsage : Reason::kNotAllowed,
                 absl::StrCat("write ", Quoted(path),
                              ": it is not a regular file; name a file"));
  }
  std::error_code error;
  fs::path target = path;
  for (int i = 0; i < kLinksMax && fs::is_symlink(target, error); ++i) {
    const fs::path link = fs::read_symlink(target, error);
    target = link.is_absolute() ? link : target.parent_path() / link;
  }
  // As the kernel has it: no way leads through a folder that is not there, not
  // even one that comes back out of it.
  if (struct stat folder{};
      stat(DirectoryOf(target.string()).c_str(), &folder) != 0) {
    return FileError(path);
  }
  const fs::path resolved = fs::weakly_canonical(target, error);
  return error ? path : resolved.string();
}

absl::Status SetAside(int fd, std::int64_t bytes, const std::string& path) {
  if (bytes <= 0) return absl::OkStatus();
  int result = 0;
  struct rlimit limit {};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
      limit.rlim_cur < static_cast<rlim_t>(bytes)) {
    result = -1;
    errno = EFBIG;
  }
  while (result == 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, bytes) != 0) {
    if (errno != EINTR) result = -1;  // else again
  }
  // Some file systems can't say; they will when they are full.
  if (result != 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
    const absl::Status status = FileError(path);
    return Error(ReasonOf(status), absl::StrCat(status.message(), "; it takes ",
                                                HumanBytes(bytes)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OutputFile> OutputFile::Create(const std::string& path,
                                              std::int64_t bytes_expected) {
  HEARTH_ASSIGN_OR_RETURN(std::string target, Target(path));
  // A file without a name is made under one of any length.
  if (access(target.c_str(), F_OK) != 0 && errno == ENAMETOOLONG) {
    return FileError(path);
  }
  std::string temporary;
  UniqueFd fd(open(DirectoryOf(target).c_str(),
                   O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  if (!fd.valid() && (errno == EOPNOTSUPP || errno == EISDIR)) {
    temporary = BesideOf(target);
    fd.Reset(
        open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666));
  }
  if (!fd.valid()) return FileError(path);
  OutputFile file(std::move(target), std::move(fd), std::move(temporary));
  HEARTH_RETURN_IF_ERROR(SetAside(file.fd_.get(), bytes_expected, path));
  return file;
}

absl::Status OutputFile::CheckCreate(const std::string& path,
                                     std::int64_t bytes_expected) {
  return Create(path, bytes_expected).status();
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::move(other.fd_)),
      temporary_(std::exchange(other.temporary_, {})) {}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status OutputFile::Append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        write(fd_.get(), bytes.data(), std::min(bytes.size(), kWriteBytesMax));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError(path_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status OutputFile::Append(absl::string_view bytes) {
  return Append(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

absl::Status OutputFile::Commit() {
  // Gives back what was set aside and not needed.
  const off_t end = lseek(fd_.get(), 0, SEEK_CUR);
  if (end < 0 || ftruncate(fd_.get(), end) != 0) return FileError(path_);
  if (temporary_.empty()) {
    const std::string unnamed = absl::StrCat("/proc/self/fd/", fd_.get());
    const auto link_as = [&](const std::string& name) {
      return linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, name.c_str(),
                    AT_SYMLINK_FOLLOW) == 0;
    };
    if (link_as(path_)) return absl::OkStatus();
    if (errno != EEXIST) return FileError(path_);
    // Linking can't replace: link it beside, then rename over.
    std::string beside = BesideOf(path_);
    if (!link_as(beside)) return FileError(path_);
    temporary_ = std::move(beside);
  }
  if (rename(temporary_.c_str(), path_.c_str()) != 0) return FileError(path_);
  temporary_.clear();
  return absl::OkStatus();
}

}  // namespace hearth::client
