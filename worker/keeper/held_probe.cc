#include "worker/keeper/held_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "hearth/base/memfd.h"

namespace hearth::worker {

Holders CountHolders(int kept) {
  const UniqueFd asking = OpenAgain(kept, O_RDONLY);
  if (!asking.valid()) return Holders::kCannotTell;
  if (fcntl(asking.get(), F_SETLEASE, F_WRLCK) == 0) {
    fcntl(asking.get(), F_SETLEASE, F_UNLCK);
    return Holders::kNone;
  }
  return errno == EAGAIN ? Holders::kSome : Holders::kCannotTell;
}

UniqueFd KeepUncounted(int fd) {
  if (fcntl(fd, F_GET_SEALS) < 0) return UniqueFd();
  return OpenAgain(fd, O_PATH);
}

bool KernelCountsHolders() {
  const UniqueFd original = NewMemfd("hearth-probe");
  if (!original.valid()) return false;
  const UniqueFd kept = KeepUncounted(original.get());
  UniqueFd other = OpenAgain(original.get(), O_RDONLY);
  if (!kept.valid() || !other.valid()) return false;
  if (CountHolders(kept.get()) != Holders::kSome) return false;
  other.Reset();
  return CountHolders(kept.get()) == Holders::kNone;
}

}  // namespace hearth::worker
