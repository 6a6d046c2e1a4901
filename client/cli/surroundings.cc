#include "client/cli/surroundings.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/context.h"
#include "client/cli/output/display.h"
#include "client/cli/output/units.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"

namespace hearth::client {
namespace {

// A worker of two threads and a coordinator have 400 to 600 MiB mapped, most of
// it stacks and arenas that are never touched.
constexpr std::int64_t kAddressSpaceMin = limits::kGiB;
constexpr rlim_t kDescriptorsMin = 128;
constexpr int kAttemptWidth = 80;  // of a line that a signal handler writes

// What a signal handler may read: the line is whole before its length is set.
char interrupt_line[512] = "hearth: start: interrupted; run it again\n";
std::atomic<std::size_t> interrupt_line_bytes =
    sizeof("hearth: start: interrupted; run it again\n") - 1;

extern "C" void EndByInterrupt(int) {
  [[maybe_unused]] const ssize_t ignored =
      write(STDERR_FILENO, interrupt_line, interrupt_line_bytes);
  _exit(kExitInterrupted);
}

}  // namespace

void PrepareProcess() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The wrong way round, so that using it fails as it did when closed.
    const int access = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", access) != fd) return;
  }
  signal(SIGXFSZ, SIG_IGN);
  struct sigaction action {};
  if (sigaction(SIGINT, nullptr, &action) == 0 &&
      action.sa_handler == SIG_DFL) {  // not one that `nohup &` ignores
    action.sa_handler = EndByInterrupt;
    sigaction(SIGINT, &action, nullptr);
  }
}

void NameAttempt(absl::string_view attempt, absl::string_view advice) {
  const std::string line =
      absl::StrCat("hearth: ", Shortened(Escaped(attempt), kAttemptWidth),
                   ": interrupted; ", advice, "\n");
  interrupt_line_bytes = 0;
  const std::size_t bytes = std::min(line.size(), sizeof(interrupt_line));
  std::memcpy(interrupt_line, line.data(), bytes);
  interrupt_line_bytes = bytes;
}

absl::Status CheckProcessLimits() {
  struct rlimit limit {};
  if (getrlimit(RLIMIT_AS, &limit) == 0 &&
      limit.rlim_cur < static_cast<rlim_t>(kAddressSpaceMin)) {
    return Error(
        Reason::kOutOfMemory,
        absl::StrCat("start: a process of this shell may map ",
                     HumanBytes(static_cast<std::int64_t>(limit.rlim_cur)),
                     " (ulimit -v), and needs ", HumanBytes(kAddressSpaceMin),
                     " beside the matrix; raise the limit"));
  }
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
      limit.rlim_max < kDescriptorsMin) {
    return Error(Reason::kOutOfMemory,
                 absl::StrCat("start: a process of this shell may open ",
                              limit.rlim_max, " files (ulimit -n), and needs ",
                              kDescriptorsMin, "; raise the limit"));
  }
  return absl::OkStatus();
}

absl::Status FlushOutput() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) {
    return absl::OkStatus();
  }
  if (errno == EPIPE) return absl::OkStatus();
  const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  return Error(
      full ? Reason::kOutOfDisk : Reason::kNotAllowed,
      absl::StrCat("print the answer: standard output takes none of "
                   "it (",
                   errno == 0 ? "a write failed" : std::strerror(errno),
                   "); send it to a file, a pipe or a terminal that does"));
}

}  // namespace hearth::client
