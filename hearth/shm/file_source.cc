#include "hearth/shm/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hearth/base/absolute_path.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

constexpr absl::string_view kAdvice = "; publish it again";

absl::string_view KindOf(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "no regular file";
}

absl::Status NotRegular(const std::string& path, mode_t mode) {
  return Error(Reason::kBadFile,
               absl::StrCat("open \"", path, "\": it is ", KindOf(mode),
                            "; give a regular file"));
}

absl::Status OpenFailed(const std::string& path) {
  const int error = errno;
  const std::string attempt = absl::StrCat("open \"", path, "\"");
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return Error(Reason::kFileMissing,
                   absl::StrCat(attempt,
                                ": there is no such file on this "
                                "host; check the path"));
    case EACCES:
    case EPERM:
      return Error(Reason::kFileMissing,
                   absl::StrCat(attempt, ": it may not be read by user ",
                                geteuid(), "; see its permissions"));
    default:
      errno = error;
      return ErrnoStatus(attempt);
  }
}

// What `found` differs in from `published`, one clause each.
std::vector<std::string> Differences(const FileIdentity& published,
                                     const FileIdentity& found) {
  std::vector<std::string> differences;
  if (found.device != published.device || found.inode != published.inode) {
    differences.push_back("another file took its place");
  }
  if (found.bytes < published.bytes) {
    differences.push_back(absl::StrCat("it was truncated from ",
                                       published.bytes, " to ", found.bytes,
                                       " bytes"));
  } else if (found.bytes > published.bytes) {
    differences.push_back(absl::StrCat("it grew from ", published.bytes, " to ",
                                       found.bytes, " bytes"));
  }
  if (differences.empty() && found.modified_ns != published.modified_ns) {
    differences.push_back("it was written to");
  }
  return differences;
}

absl::Status Changed(const std::string& path, absl::string_view finding) {
  return Error(Reason::kFileChanged,
               absl::StrCat("read \"", path, "\": ", finding,
                            " since it was published", kAdvice));
}

}  // namespace

FileIdentity FileIdentity::Of(const struct stat& found) {
  return {.device = found.st_dev,
          .inode = found.st_ino,
          .bytes = found.st_size,
          .modified_ns = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 +
                         found.st_mtim.tv_nsec};
}

absl::StatusOr<FileSource> FileSource::Open(absl::string_view path) {
  const std::string absolute = AbsolutePath(path);
  // A look before the open: opening a device can do things (rewind a tape).
  struct stat seen {};
  if (stat(absolute.c_str(), &seen) != 0) return OpenFailed(absolute);
  if (!S_ISREG(seen.st_mode)) return NotRegular(absolute, seen.st_mode);
  // Should a pipe take the file's place just now, O_NONBLOCK keeps it from
  // waiting for a writer.
  UniqueFd fd(
      open(absolute.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd.valid()) return OpenFailed(absolute);
  return Adopt(std::move(fd), absolute);
}

absl::StatusOr<FileSource> FileSource::Adopt(UniqueFd fd,
                                             absl::string_view path) {
  std::string name(path);
  struct stat found {};
  if (fstat(fd.get(), &found) != 0) return OpenFailed(name);
  if (!S_ISREG(found.st_mode)) return NotRegular(name, found.st_mode);
  const int flags = fcntl(fd.get(), F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH) != 0) {
    return Error(Reason::kBadFile,
                 absl::StrCat("adopt \"", name,
                              "\": the descriptor is not open for reading; "
                              "open it so"));
  }
  if ((flags & O_NONBLOCK) != 0) {
    (void)fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK);
  }
  return FileSource(std::move(fd), std::move(name), FileIdentity::Of(found));
}

absl::Status FileSource::Verify(const FileIdentity& published) const {
  // Both: a rename puts another file at the path and leaves the open one as it
  // was; whoever opens the path next would compute on something else.
  struct stat held {};
  struct stat named {};
  if (fstat(fd_.get(), &held) != 0) return OpenFailed(path_);
  if (stat(path_.c_str(), &named) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return Changed(path_, "it was removed or renamed");
    }
    return OpenFailed(path_);
  }
  std::vector<std::string> differences =
      Differences(published, FileIdentity::Of(held));
  if (differences.empty()) {
    differences = Differences(published, FileIdentity::Of(named));
  }
  if (differences.empty()) return absl::OkStatus();
  return Changed(path_, absl::StrJoin(differences, ", "));
}

absl::StatusOr<Mapping> FileSource::MapRange(std::int64_t offset,
                                             std::int64_t bytes) const {
  if (offset < 0 || bytes < 0 || bytes > identity_.bytes ||
      offset > identity_.bytes - bytes) {
    return Error(Reason::kBadFile,
                 absl::StrCat("map [", offset, ", +", bytes, ") of \"", path_,
                              "\": it has ", identity_.bytes, " bytes"));
  }
  return Mapping::Of(fd_.get(), offset, bytes, MapAccess::kRead,
                     absl::StrCat("\"", path_, "\""));
}

}  // namespace hearth
