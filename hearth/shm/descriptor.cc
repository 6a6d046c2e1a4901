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

absl::StatusOr<UniqueFd> ReopenReadOnly(int fd) {
  const std::string path = absl::StrCat("/proc/self/fd/", fd);
  UniqueFd opened(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened.valid()) {
    return ErrnoStatus(absl::StrCat("open ", path, " for reading"));
  }
  return opened;
}

}  // namespace hearth
