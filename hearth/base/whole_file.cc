#include "hearth/base/whole_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/unique_fd.h"

namespace hearth {
namespace {

// Nothing that somebody else put at the name is waited for or followed.
constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

std::error_code LastError() { return {errno, std::system_category()}; }

std::string PartOf(const std::string& path) {
  return absl::StrCat(path, ".part");
}

bool IsOurs(int fd) {
  struct stat about {};
  return fstat(fd, &about) == 0 && S_ISREG(about.st_mode) &&
         about.st_uid == geteuid();
}

// Whether the file is still called `part`: who held the lock before may have
// given it its name, or swept it.
bool IsNamed(int fd, const std::string& part) {
  struct stat held {};
  struct stat named {};
  return fstat(fd, &held) == 0 && lstat(part.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

// Empty, locked and ours. Not valid: errno says why.
UniqueFd OpenPart(const std::string& part, mode_t mode) {
  for (;;) {
    UniqueFd fd(open(part.c_str(), kFlags | O_CREAT, mode));
    if (!fd.valid()) return fd;
    if (!IsOurs(fd.get())) {
      errno = EPERM;
      return UniqueFd();
    }
    int locked = 0;
    do {
      locked = flock(fd.get(), LOCK_EX);
    } while (locked != 0 && errno == EINTR);
    if (!IsNamed(fd.get(), part)) continue;
    // The mode is the umask's to narrow: say it again.
    if (ftruncate(fd.get(), 0) != 0 || fchmod(fd.get(), mode) != 0) {
      return UniqueFd();
    }
    return fd;
  }
}

bool WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return fsync(fd) == 0;
}

// A name is on the disk once its folder is. A folder that may not be read can't
// be told to, and not every file system takes it of a folder.
bool SyncFolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return !fd.valid() || fsync(fd.get()) == 0 || errno == EINVAL;
}

}  // namespace

std::error_code WriteWholeFile(const std::string& path, absl::string_view text,
                               mode_t mode, bool replace) {
  const std::string part = PartOf(path);
  const UniqueFd fd = OpenPart(part, mode);
  if (!fd.valid()) return LastError();
  absl::Cleanup discard = [&] { unlink(part.c_str()); };
  if (!WriteAll(fd.get(), text)) return LastError();
  // Nobody else of ours makes it while we hold the lock.
  if (struct stat there{}; !replace && lstat(path.c_str(), &there) == 0) {
    return std::make_error_code(std::errc::file_exists);
  }
  if (rename(part.c_str(), path.c_str()) != 0) return LastError();
  std::move(discard).Cancel();
  if (!SyncFolderOf(path)) return LastError();
  return {};
}

void SweepPart(const std::string& path) {
  const std::string part = PartOf(path);
  const UniqueFd fd(open(part.c_str(), kFlags));
  if (fd.valid() && IsOurs(fd.get()) &&
      flock(fd.get(), LOCK_EX | LOCK_NB) == 0 && IsNamed(fd.get(), part)) {
    unlink(part.c_str());
  }
}

}  // namespace hearth
