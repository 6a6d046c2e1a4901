#include "tests/unit/worker_keeper/test_processes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hearth/base/pidfd.h"
#include "hearth/base/unix_socket.h"

namespace hearth::worker::testing {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);

UniqueFd Reopen(int fd, int access) {
  return UniqueFd(
      open(absl::StrCat("/proc/self/fd/", fd).c_str(), access | O_CLOEXEC));
}

bool Readable(int fd) {
  pollfd waited{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&waited, 1,
              static_cast<int>(absl::ToInt64Milliseconds(kPatience))) == 1;
}

UniqueFd Memory(absl::string_view bytes) {
  UniqueFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(write(fd.get(), bytes.data(), bytes.size()),
            static_cast<ssize_t>(bytes.size()));
  return fd;
}

// Living processes whose /proc file of that name has `text` in it.
std::vector<pid_t> ProcessesWith(const char* name, absl::string_view text) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc", ignored)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    std::ifstream file(entry.path() / name);
    const std::string contents{std::istreambuf_iterator<char>(file), {}};
    if (absl::StrContains(contents, text)) found.push_back(pid);
  }
  return found;
}

}  // namespace

UniqueFd SealedMemory(absl::string_view bytes) {
  const UniqueFd fd = Memory(bytes);
  EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS,
                  F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW),
            0);
  return Reopen(fd.get(), O_RDONLY);
}

UniqueFd OpenMemory(absl::string_view bytes) {
  return Reopen(Memory(bytes).get(), O_RDWR);
}

std::string BytesBehind(int fd) {
  struct stat about {};
  EXPECT_EQ(fstat(fd, &about), 0);
  std::string bytes(static_cast<std::size_t>(about.st_size), '\0');
  EXPECT_EQ(pread(fd, bytes.data(), bytes.size(), 0), about.st_size);
  return bytes;
}

SegmentCard CardOf(absl::string_view bytes, SegmentKind kind) {
  return {.kind = kind, .bytes = bytes.size(), .note = "f8 (1,)"};
}

bool Eventually(const std::function<bool()>& condition) {
  const absl::Time until = absl::Now() + kPatience;
  while (!condition()) {
    if (absl::Now() > until) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

bool Alive(pid_t process) {
  std::ifstream file(absl::StrCat("/proc/", process, "/stat"));
  const std::string stat{std::istreambuf_iterator<char>(file), {}};
  const auto behind_name = stat.rfind(')');
  return behind_name != std::string::npos && stat[behind_name + 2] != 'Z';
}

std::vector<pid_t> ProcessesMarked(absl::string_view mark) {
  return ProcessesWith("environ", mark);
}

std::vector<pid_t> TicketKeepersStartedBy(pid_t starter) {
  using std::string_literals::operator""s;
  return ProcessesWith("cmdline",
                       absl::StrCat("keeper\0--starter\0"s, starter));
}

ChildCommand WorkerThat(absl::string_view behaviour, int report) {
  ChildCommand command;
  command.name = "worker";
  command.argv = {"/proc/self/exe", "worker", std::string(behaviour)};
  if (report >= 0) command.descriptors = {{.fd = report, .as = 5}};
  return command;
}

Report::Report() {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  read_.Reset(ends[0]);
  write_.Reset(ends[1]);
}

std::string Report::Line() {
  std::size_t end = 0;
  while ((end = waiting_.find('\n')) == std::string::npos) {
    std::array<char, 4096> buffer;
    if (!Readable(read_.get())) return "";
    const ssize_t count = read(read_.get(), buffer.data(), buffer.size());
    if (count <= 0) return "";
    waiting_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  const std::string line = waiting_.substr(0, end);
  waiting_.erase(0, end + 1);
  return line;
}

KeeperProcess::KeeperProcess(KeeperOptions options)
    : address_(RandomAbstractAddress()) {
  std::array<int, 2> line{};
  std::array<int, 2> ready{};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line.data()), 0);
  EXPECT_EQ(pipe2(ready.data(), O_CLOEXEC), 0);
  UniqueFd keepers_line(line[1]);
  lifeline_.Reset(line[0]);
  UniqueFd keepers_ready(ready[1]);
  ready_.Reset(ready[0]);
  auto listener = ListenUnix(address_, SocketType::kPacket);
  EXPECT_TRUE(listener.ok());
  pid_ = fork();
  if (pid_ == 0) {
    lifeline_.Reset();
    options.listener = *std::move(listener);
    options.lifeline = std::move(keepers_line);
    options.on_ready = [fd = keepers_ready.get()](const auto& children) {
      std::string text;
      for (const ReadyChild& child : children) {
        absl::StrAppend(&text, child.pid, " ");
      }
      text.back() = '\n';
      [[maybe_unused]] const auto ignored = write(fd, text.data(), text.size());
    };
    _exit(RunKeeper(std::move(options)));
  }
  pidfd_ = OpenPidfd(pid_);
}

KeeperProcess::~KeeperProcess() {
  CloseLifeline();
  if (!reaped_) {
    EXPECT_NE(Ended(), -1);
  }
}

std::vector<pid_t> KeeperProcess::Ready() {
  std::vector<pid_t> pids;
  std::string text(4096, '\0');
  if (!Readable(ready_.get())) return pids;
  const ssize_t count = read(ready_.get(), text.data(), text.size());
  if (count <= 0) return pids;
  const char* at = text.data();
  while (*at != '\0') {
    char* end = nullptr;
    pids.push_back(static_cast<pid_t>(std::strtol(at, &end, 10)));
    at = *end == ' ' ? end + 1 : end + (*end == '\n' ? 1 : 0);
  }
  return pids;
}

void KeeperProcess::Signal(int signal) { kill(pid_, signal); }

int KeeperProcess::Ended() {
  if (!Readable(pidfd_.get())) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    reaped_ = true;
    return -1;
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  reaped_ = true;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace hearth::worker::testing
