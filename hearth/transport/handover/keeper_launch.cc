#include "hearth/transport/handover/keeper_launch.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/base/unix_socket.h"

namespace hearth {
namespace {

// Away from 0 to 3, so that no dup2 of the start overwrites another's source.
UniqueFd Parked(int fd) {
  return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, kKeeperListenerFd + 1));
}

// Where a keeper that can't start says why; nothing where no pipe can be had.
struct LastWords {
  UniqueFd read_end;
  UniqueFd write_end;

  static LastWords Make() {
    std::array<int, 2> ends = {-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return {};
    const UniqueFd write_end(ends[1]);
    return {UniqueFd(ends[0]), Parked(write_end.get())};
  }

  // The first line, without the program's name.
  std::string Sentence() const {
    std::array<char, 1024> text;
    const ssize_t size = read(read_end.get(), text.data(), text.size());
    if (size <= 0) return std::string();
    absl::string_view line(text.data(), static_cast<std::size_t>(size));
    line = line.substr(0, line.find('\n'));
    absl::ConsumePrefix(&line, "hearth: ");
    return std::string(line);
  }
};

absl::Status DidNotStart(const std::string& program, int status,
                         const LastWords& words) {
  const std::string said = words.Sentence();
  if (!said.empty()) {
    return Error(Reason::kNotAllowed,
                 absl::StrCat("start a keeper: ", program, " keeper: ", said));
  }
  const std::string ended =
      WIFSIGNALED(status)
          ? absl::StrCat("by signal ", WTERMSIG(status), " (",
                         strsignal(WTERMSIG(status)), ")")
          : absl::StrCat("with exit status ", WEXITSTATUS(status));
  return Error(Reason::kInternal,
               absl::StrCat("start a keeper: ", program, " keeper ended ",
                            ended, "; is it a hearth of this version?"));
}

}  // namespace

absl::Status StartTicketKeeper(const std::string& program,
                               const Address& address) {
  HEARTH_ASSIGN_OR_RETURN(const UniqueFd listener,
                          ListenUnix(address, SocketType::kPacket));
  const UniqueFd parked = Parked(listener.get());
  if (!parked.valid()) return ErrnoStatus("start a keeper");

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  absl::Cleanup free_actions = [&] {
    posix_spawn_file_actions_destroy(&actions);
  };
  posix_spawn_file_actions_adddup2(&actions, parked.get(), kKeeperListenerFd);
  // Whoever waits for the end of the user's output must not wait for us.
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0);
  }
  const LastWords words = LastWords::Make();
  if (words.write_end.valid()) {
    posix_spawn_file_actions_adddup2(&actions, words.write_end.get(),
                                     STDERR_FILENO);
  }
  posix_spawn_file_actions_addclosefrom_np(&actions, kKeeperListenerFd + 1);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  absl::Cleanup free_attributes = [&] { posix_spawnattr_destroy(&attributes); };
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID |
                                            POSIX_SPAWN_SETSIGMASK |
                                            POSIX_SPAWN_SETSIGDEF);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);

  std::string path = program;
  std::string command = "keeper";
  std::string option = "--starter";
  std::string starter = absl::StrCat(getpid());
  const std::array<char*, 5> arguments = {
      path.data(), command.data(), option.data(), starter.data(), nullptr};
  pid_t started = 0;
  const int failed = posix_spawn(&started, path.c_str(), &actions, &attributes,
                                 arguments.data(), environ);
  if (failed == ENOENT || failed == EACCES) {
    return Error(Reason::kFileMissing,
                 absl::StrCat("start a keeper: ", program,
                              " is missing or no executable file; set "
                              "HEARTH_BINARY to the hearth binary"));
  }
  if (failed != 0) return absl::ErrnoToStatus(failed, "start a keeper");
  // What we exec'ed forks the keeper and ends: here and now, not as a zombie.
  int status = 0;
  while (waitpid(started, &status, 0) < 0) {
    // The program around us collects its children itself: then it has.
    if (errno != EINTR) return absl::OkStatus();
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return DidNotStart(program, status, words);
}

}  // namespace hearth
