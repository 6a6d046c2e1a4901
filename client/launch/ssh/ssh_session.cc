#include "client/launch/ssh/ssh_session.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/limits.h"
#include "hearth/base/pidfd.h"
#include "hearth/base/status.h"

namespace hearth::client {
namespace {

// Of an ssh's standard error; what counts stands at its end.
constexpr std::size_t kLastWordsBytes = 4096;
// An ssh that was told to end and doesn't is killed after this.
constexpr absl::Duration kEndWithin = absl::Seconds(1);

// Read of one session before the others get their turn: one that floods us must
// not hold them up.
constexpr int kPiecesAtOnce = 16;

struct Pair {
  UniqueFd ours, theirs;
};

// Sockets rather than pipes: writing to one that nobody reads any more is an
// error then, and no signal.
absl::StatusOr<Pair> MakePair() {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return ErrnoStatus("make a connection to ssh");
  }
  Pair made{UniqueFd(pair[0]), UniqueFd(pair[1])};
  fcntl(made.ours.get(), F_SETFL, O_NONBLOCK);
  // Above the numbers that the child gets its ends under.
  UniqueFd parked(fcntl(made.theirs.get(), F_DUPFD_CLOEXEC, 3));
  if (!parked.valid()) return ErrnoStatus("duplicate a descriptor");
  made.theirs = std::move(parked);
  return made;
}

bool Retriable() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

std::vector<std::string> SshArguments(absl::string_view command,
                                      absl::string_view host,
                                      absl::string_view remote_command) {
  std::vector<std::string> arguments;
  if (command.empty()) {
    arguments = {"ssh"};
  } else {
    arguments = {"/bin/sh", "-c", absl::StrCat("exec ", command, " \"$@\""),
                 "hearth-ssh"};
  }
  for (const absl::string_view option :
       {"BatchMode=yes", "ConnectTimeout=5", "ServerAliveInterval=5",
        "ServerAliveCountMax=3", "ControlMaster=no", "ClearAllForwardings=yes",
        "ForwardAgent=no", "RemoteCommand=none"}) {
    arguments.emplace_back("-o");
    arguments.emplace_back(option);
  }
  arguments.insert(arguments.end(), {"-T", "-x", "--", std::string(host),
                                     std::string(remote_command)});
  return arguments;
}

absl::StatusOr<SshSession> SshSession::Start(
    const std::vector<std::string>& arguments,
    const std::vector<std::string>& variables) {
  HEARTH_ASSIGN_OR_RETURN(Pair input, MakePair());
  HEARTH_ASSIGN_OR_RETURN(Pair output, MakePair());
  HEARTH_ASSIGN_OR_RETURN(Pair errors, MakePair());
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  std::vector<char*> environment;
  for (const std::string& variable : variables) {
    environment.push_back(const_cast<char*>(variable.c_str()));
  }
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.push_back(*variable);
  }
  environment.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  absl::Cleanup destroy = [&] {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  };
  posix_spawn_file_actions_adddup2(&actions, input.theirs.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, output.theirs.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, errors.theirs.get(), 2);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  SshSession session;
  const int error = posix_spawnp(&session.pid_.value, argv[0], &actions,
                                 &attributes, argv.data(), environment.data());
  if (error != 0) {
    session.pid_.value = -1;
    return absl::ErrnoToStatus(error, absl::StrCat("start ", arguments[0]));
  }
  session.input_ = std::move(input.ours);
  session.output_ = std::move(output.ours);
  session.errors_ = std::move(errors.ours);
  return session;
}

SshSession::~SshSession() {
  if (pid_.value < 0) return;
  kill(-pid_.value, SIGTERM);
  Finish();
}

void SshSession::CloseInput() {
  views_.clear();
  texts_.clear();
  input_.Reset();
}

bool SshSession::EndsBy(absl::Time deadline, const Clock& clock) {
  const UniqueFd watched = OpenPidfd(pid_.value);
  pollfd ended{.fd = watched.get(), .events = POLLIN, .revents = 0};
  const absl::Duration left =
      std::max(deadline - clock.Now(), absl::ZeroDuration());
  return poll(&ended, 1, static_cast<int>(absl::ToInt64Milliseconds(left))) > 0;
}

void SshSession::Send(std::string text) {
  if (text.empty()) return;
  texts_.push_back(std::move(text));
  views_.emplace_back(texts_.back(), true);
}

void SshSession::SendView(absl::string_view view) {
  if (!view.empty()) views_.emplace_back(view, false);
}

void SshSession::DropBegin(std::size_t bytes) {
  auto& [view, is_text] = views_.front();
  view.remove_prefix(bytes);
  if (!view.empty()) return;
  if (is_text) texts_.pop_front();
  views_.pop_front();
}

bool SshSession::Write() {
  bool wrote = false;
  while (!views_.empty()) {
    const absl::string_view view = views_.front().first;
    const ssize_t sent =
        send(input_.get(), view.data(), view.size(), MSG_NOSIGNAL);
    if (sent < 0 && Retriable()) return wrote;
    if (sent < 0) {  // it ended, and its output will tell how
      views_.clear();
      texts_.clear();
      return wrote;
    }
    wrote = true;
    DropBegin(static_cast<std::size_t>(sent));
  }
  return wrote;
}

bool SshSession::ReadLines(std::vector<std::string>& lines) {
  std::array<char, 4096> piece;
  for (int piece_count = 0; piece_count < kPiecesAtOnce; ++piece_count) {
    const ssize_t got = read(output_.get(), piece.data(), piece.size());
    if (got < 0 && Retriable()) return true;
    if (got <= 0) {
      output_.Reset();
      return false;
    }
    partial_line_.append(piece.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end;
         (end = partial_line_.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      lines.push_back(partial_line_.substr(begin, end - begin));
    }
    partial_line_.erase(0, begin);
    if (partial_line_.size() > limits::kHostLineBytesMax) {
      partial_line_.clear();  // not one of ours
    }
  }
  return true;
}

bool SshSession::ReadErrors() {
  std::array<char, 4096> piece;
  for (int piece_count = 0; piece_count < kPiecesAtOnce; ++piece_count) {
    const ssize_t got = read(errors_.get(), piece.data(), piece.size());
    if (got < 0 && Retriable()) return true;
    if (got <= 0) {
      errors_.Reset();
      return false;
    }
    last_words_.append(piece.data(), static_cast<std::size_t>(got));
    if (last_words_.size() > kLastWordsBytes) {
      last_words_.erase(0, last_words_.size() - kLastWordsBytes);
    }
  }
  return true;
}

SshEnd SshSession::Finish() {
  SshEnd end;
  if (pid_.value < 0) return end;  // -1 would mean somebody else's processes
  int status = 0;
  CloseInput();
  const Clock& clock = Clock::Real();
  for (const int signal : {SIGTERM, SIGKILL}) {
    if (EndsBy(clock.Now() + kEndWithin, clock)) break;
    kill(-pid_.value, signal);
  }
  while (waitpid(pid_.value, &status, 0) < 0 && errno == EINTR) {
  }
  pid_.value = -1;
  if (errors_.valid()) ReadErrors();
  end.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  end.last_words = last_words_;
  return end;
}

}  // namespace hearth::client
