#include "worker/keeper/child.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/pidfd.h"
#include "hearth/base/status.h"
#include "worker/keeper/lifeline.h"

namespace hearth::worker {
namespace {

// What children get is moved above all numbers that they may get it under, so
// that one dup2 never overwrites the source of the next.
constexpr int kParkedFrom = 64;

absl::StatusOr<UniqueFd> Park(int fd) {
  UniqueFd parked(fcntl(fd, F_DUPFD_CLOEXEC, kParkedFrom));
  if (!parked.valid()) return ErrnoStatus("duplicate a descriptor");
  return parked;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Ours, with `added` in place of variables of the same name.
std::vector<std::string> EnvironmentWith(
    const std::vector<std::string>& added) {
  std::vector<std::string> all = added;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const std::string name = text.substr(0, text.find('=') + 1);
    if (std::none_of(added.begin(), added.end(), [&](const std::string& one) {
          return one.starts_with(name);
        })) {
      all.push_back(text);
    }
  }
  return all;
}

// To our standard error as far as it takes it now: a reader that has stopped
// reading must not stop the keeper.
void Echo(absl::string_view bytes) {
  pollfd ready{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  while (!bytes.empty() && poll(&ready, 1, 0) > 0) {
    // A pipe that is ready takes this much without blocking.
    const ssize_t written =
        write(STDERR_FILENO, bytes.data(),
              std::min<std::size_t>(bytes.size(), PIPE_BUF));
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

absl::StatusOr<Child> Child::Start(const ChildCommand& command, const Id& id,
                                   absl::Time now) {
  std::array<int, 2> line{};
  std::array<int, 2> log{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line.data()) != 0) {
    return ErrnoStatus("make a lifeline");
  }
  Child child;
  child.id_ = id;
  child.started_ = now;
  child.lifeline_.Reset(line[0]);
  UniqueFd child_line(line[1]);
  if (pipe2(log.data(), O_CLOEXEC) != 0) return ErrnoStatus("make a pipe");
  child.log_.Reset(log[0]);
  fcntl(child.log_.get(), F_SETFL, O_NONBLOCK);
  UniqueFd child_log(log[1]);
  UniqueFd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));

  struct Given {
    UniqueFd fd;
    int as;
  };
  std::vector<Given> given;
  const auto give = [&](int fd, int as) -> absl::Status {
    HEARTH_ASSIGN_OR_RETURN(UniqueFd parked, Park(fd));
    given.push_back({std::move(parked), as});
    return absl::OkStatus();
  };
  HEARTH_RETURN_IF_ERROR(give(nothing.get(), STDIN_FILENO));
  HEARTH_RETURN_IF_ERROR(give(child_log.get(), STDOUT_FILENO));
  HEARTH_RETURN_IF_ERROR(give(child_log.get(), STDERR_FILENO));
  HEARTH_RETURN_IF_ERROR(give(child_line.get(), kLifelineFd));
  for (const ChildCommand::PassedFd& passed : command.descriptors) {
    if (passed.as <= kLifelineFd || passed.as >= kParkedFrom) {
      return Error(Reason::kBadUsage,
                   absl::StrCat("start ", command.name, ": descriptor number ",
                                passed.as, " is not within 4 and 63"));
    }
    HEARTH_RETURN_IF_ERROR(give(passed.fd, passed.as));
  }

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  absl::Cleanup free_actions = [&] {
    posix_spawn_file_actions_destroy(&actions);
  };
  for (const Given& one : given) {
    posix_spawn_file_actions_adddup2(&actions, one.fd.get(), one.as);
  }
  // What we ourselves inherited without close-on-exec stops here: between the
  // numbers that were given, and from the parked ones on. To close what is not
  // open is no error.
  for (int fd = 0; fd < kParkedFrom; ++fd) {
    if (std::none_of(given.begin(), given.end(),
                     [fd](const Given& one) { return one.as == fd; })) {
      posix_spawn_file_actions_addclose(&actions, fd);
    }
  }
  posix_spawn_file_actions_addclosefrom_np(&actions, kParkedFrom);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  absl::Cleanup free_attributes = [&] { posix_spawnattr_destroy(&attributes); };
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
                                            POSIX_SPAWN_SETSIGMASK |
                                            POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);

  std::vector<std::string> arguments = command.argv;
  std::vector<std::string> variables = EnvironmentWith(command.environment);
  const int failed = posix_spawn(
      &child.pid_, command.argv.front().c_str(), &actions, &attributes,
      Pointers(arguments).data(), Pointers(variables).data());
  if (failed == ENOENT || failed == EACCES) {
    return Error(
        Reason::kFileMissing,
        absl::StrCat("start ", command.name, ": ", command.argv.front(),
                     " is missing or no executable file"));
  }
  if (failed != 0) {
    return absl::ErrnoToStatus(failed, absl::StrCat("start ", command.name));
  }
  // Our own child, not reaped yet: its number can't have been given away.
  child.pidfd_ = OpenPidfd(child.pid_);
  if (!child.pidfd_.valid()) {
    const absl::Status status = ErrnoStatus("watch a child");
    child.Signal(SIGKILL);
    waitpid(child.pid_, nullptr, 0);
    return status;
  }
  return child;
}

bool Child::ReadLog(bool echo) {
  std::array<char, 16384> buffer;
  // Bounded, so that a child that prints without end stalls nobody.
  for (int round = 0; round < 16; ++round) {
    const ssize_t count = read(log_.get(), buffer.data(), buffer.size());
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    const auto size = static_cast<std::size_t>(count);
    tail_.Append({buffer.data(), size});
    if (echo) Echo({buffer.data(), size});
  }
  return true;
}

void Child::Signal(int signal) {
  if (pid_ > 0) kill(-pid_, signal);
}

WorkerStory Child::Reap(absl::Time now) {
  // Until it is reaped its number names its group and nobody else's.
  Signal(SIGKILL);
  WorkerStory story;
  story.id = id_;
  story.pid = pid_;
  story.lived_ms = absl::ToInt64Milliseconds(now - started_);
  story.last_lines = tail_.Lines();
  siginfo_t info{};
  int failed = 0;
  do {
    failed = waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED);
  } while (failed != 0 && errno == EINTR);
  if (info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED) {
    story.end = WorkerStory::End::kSignalled;
  }
  story.code = info.si_status;
  return story;
}

}  // namespace hearth::worker
