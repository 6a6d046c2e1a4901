#include "hearth/shm/descriptor.h"

#include <fcntl.h>

#include "absl/strings/str_cat.h"
#include "hearth/base/status.h"

namespace hearth {

absl::StatusOr<UniqueFd> DuplicateFd(int fd) {
  UniqueFd duplicate(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!duplicate.valid()) return ErrnoStatus("duplicate a descriptor");
  return duplicate;
}

namespace {

absl::StatusOr<UniqueFd> Reopen(int fd, int access) {
  const std::string path = absl::StrCat("/proc/self/fd/", fd);
  UniqueFd opened(open(path.c_str(), access | O_CLOEXEC));
  if (!opened.valid())
    return ErrnoStatus(absl::StrCat("open ", path, " again"));
  return opened;
}

}  // namespace

absl::StatusOr<UniqueFd> ReopenReadOnly(int fd) { return Reopen(fd, O_RDONLY); }
absl::StatusOr<UniqueFd> ReopenForWriting(int fd) { return Reopen(fd, O_RDWR); }

}  // namespace hearth
