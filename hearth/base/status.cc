#include "hearth/base/status.h"

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace hearth {
namespace {

absl::string_view AdviceFor(int error) {
  switch (error) {
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files (ulimit -n)";
    case ENOMEM:
    case ENOBUFS:
      return "free some memory";
    case EAGAIN:
      return "end some processes, or raise their limit (ulimit -u)";
    case ENOSPC:
    case EDQUOT:
      return "free some room on that disk";
    case EACCES:
    case EPERM:
    case EROFS:
      return "see who may read and write it";
    case ENOENT:
    case ENOTDIR:
      return "check the path";
    case ELOOP:
      return "it is a link that leads back to itself; give another path";
    case ENAMETOOLONG:
      return "give a shorter path";
    case EIO:
      return "see the kernel's log (dmesg) for what the device said";
    default:
      return "try again, and report it if it stays";
  }
}

}  // namespace

absl::Status ErrnoStatus(absl::string_view attempt) {
  const int error = errno;
  const absl::Status plain = absl::ErrnoToStatus(error, attempt);
  return {plain.code(), absl::StrCat(plain.message(), "; ", AdviceFor(error))};
}

}  // namespace hearth
