#include "hearth/base/memfd.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace hearth {

UniqueFd NewMemfd(const std::string& label) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd fd(memfd_create(label.c_str(), kFlags | MFD_NOEXEC_SEAL));
  // Kernels before 6.3 don't know that flag.
  if (!fd.valid() && errno == EINVAL) {
    fd.Reset(memfd_create(label.c_str(), kFlags));
  }
  return fd;
}

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
