#include "worker/keeper/held_probe.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace hearth::worker {

Holders CountOtherHolders(int fd) {
  if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return Holders::kNone;
  }
  return errno == EAGAIN ? Holders::kSome : Holders::kCannotTell;
}

UniqueFd ReopenMemfd(int fd) {
  if (fcntl(fd, F_GET_SEALS) < 0) return UniqueFd();
  const int access = fcntl(fd, F_GETFL) & O_ACCMODE;
  const std::string path = absl::StrCat("/proc/self/fd/", fd);
  return UniqueFd(open(path.c_str(), access | O_CLOEXEC | O_NONBLOCK));
}

bool KernelCountsHolders() {
  const UniqueFd original(
      memfd_create("hearth-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!original.valid()) return false;
  const UniqueFd own = ReopenMemfd(original.get());
  UniqueFd other = ReopenMemfd(original.get());
  if (!own.valid() || !other.valid()) return false;
  if (CountOtherHolders(own.get()) != Holders::kSome) return false;
  other.Reset();
  return CountOtherHolders(own.get()) == Holders::kNone;
}

}  // namespace hearth::worker
