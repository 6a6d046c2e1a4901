#include "hearth/base/memfd.h"

#include <fcntl.h>

#include "absl/strings/str_cat.h"

namespace hearth {

UniqueFd OpenAgain(int fd, int access) {
  return UniqueFd(
      open(absl::StrCat("/proc/self/fd/", fd).c_str(), access | O_CLOEXEC));
}

bool SealedForEver(int fd) {
  constexpr int kImmutable = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
  const int seals = fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & kImmutable) == kImmutable;
}

}  // namespace hearth
