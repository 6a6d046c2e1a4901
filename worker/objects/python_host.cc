#include "worker/objects/python_host.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <deque>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"

namespace hearth::worker {
namespace {

constexpr absl::Duration kReadyWithin = absl::Seconds(60);
constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr std::size_t kCrashesMax = 3;
constexpr absl::Duration kCrashesWithin = absl::Minutes(1);
constexpr absl::Duration kLongPause = absl::Minutes(1);
// Of a process that ended itself, to end a function that nobody waits for.
constexpr int kLetGoStatus = 75;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};
absl::StatusOr<Pipe> MakePipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoStatus("make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Ours; BLAS with as many threads as the worker has, unless somebody chose.
std::vector<std::string> EnvironmentFor(int threads) {
  std::vector<std::string> all;
  for (char** one = environ; *one != nullptr; ++one) all.emplace_back(*one);
  for (const char* name : {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}) {
    const std::string begin = absl::StrCat(name, "=");
    if (std::none_of(all.begin(), all.end(), [&](const std::string& one) {
          return one.starts_with(begin);
        })) {
      all.push_back(absl::StrCat(begin, threads));
    }
  }
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

bool IsCrash(int status) {
  return !WIFEXITED(status) || WEXITSTATUS(status) != kLetGoStatus;
}

std::string EndOf(int status) {
  return WIFSIGNALED(status) ? absl::StrCat("signal ", WTERMSIG(status))
                             : absl::StrCat("status ", WEXITSTATUS(status));
}

}  // namespace

absl::StatusOr<std::unique_ptr<PythonHost>> PythonHost::Start(
    PythonHostOptions options) {
  std::unique_ptr<PythonHost> host(new PythonHost(std::move(options)));
  HEARTH_RETURN_IF_ERROR(host->Launch());
  host->watch_ = std::thread([raw = host.get()] { raw->Watch(); });
  return host;
}

PythonHost::~PythonHost() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    if (pid_ != 0) kill(pid_, SIGKILL);
  }
  if (watch_.joinable()) watch_.join();
}

absl::Status PythonHost::Launch() {
  HEARTH_ASSIGN_OR_RETURN(Pipe input, MakePipe());
  HEARTH_ASSIGN_OR_RETURN(Pipe output, MakePipe());
  std::vector<std::string> words = {options_.python, "-m", "hearth._host"};
  words.insert(words.end(), options_.arguments.begin(),
               options_.arguments.end());
  std::vector<std::string> variables = EnvironmentFor(options_.threads);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const absl::Cleanup destroy = [&] {
    posix_spawn_file_actions_destroy(&actions);
  };
  posix_spawn_file_actions_adddup2(&actions, input.read.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.write.get(), STDOUT_FILENO);
  pid_t pid = 0;
  const int failed =
      posix_spawnp(&pid, options_.python.c_str(), &actions, nullptr,
                   Pointers(words).data(), Pointers(variables).data());
  if (failed != 0) {
    return Error(
        Reason::kFileMissing,
        absl::StrCat("start Python beside a worker: there is no executable ",
                     Quoted(options_.python),
                     "; set HEARTH_PYTHON to one that has the hearth package"));
  }
  output.write.Reset();
  {
    MutexLock lock(mutex_);
    pid_ = pid;
    if (ending_) kill(pid, SIGKILL);
  }
  if (!WaitUntilReady(output.read.get())) {
    {
      MutexLock lock(mutex_);
      pid_ = 0;  // ours alone to signal and to reap
    }
    kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    return Error(
        Reason::kFileMissing,
        absl::StrCat("start Python beside a worker: ", Quoted(options_.python),
                     " ended with ", EndOf(status),
                     " before it was ready; install the hearth "
                     "package for it, or set HEARTH_PYTHON to one "
                     "that has it"));
  }
  lifeline_ = std::move(input.write);
  return absl::OkStatus();
}

// It says so in one line.
bool PythonHost::WaitUntilReady(int pipe) const {
  pollfd ready{.fd = pipe, .events = POLLIN, .revents = 0};
  const int count = poll(
      &ready, 1, static_cast<int>(absl::ToInt64Milliseconds(kReadyWithin)));
  std::array<char, 16> said{};
  return count == 1 && read(pipe, said.data(), said.size()) > 0;
}

bool PythonHost::Pause(absl::Duration at_most) {
  const absl::Time until = absl::Now() + at_most;
  while (true) {
    {
      MutexLock lock(mutex_);
      if (ending_) return false;
    }
    if (absl::Now() >= until) return true;
    absl::SleepFor(absl::Milliseconds(10));
  }
}

int PythonHost::WaitForEnd(pid_t pid) {
  // Still ours to reap, so nobody else's number when it is signalled.
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
  MutexLock lock(mutex_);
  pid_ = 0;
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

void PythonHost::Watch() {
  std::deque<absl::Time> crashes;
  absl::Status launched;
  while (true) {
    std::string story(launched.message());
    bool is_crash = true;
    if (launched.ok()) {
      const pid_t process = pid();
      const int status = WaitForEnd(process);
      is_crash = IsCrash(status);
      story = absl::StrCat("its Python process ", process, " ended with ",
                           EndOf(status));
    }
    if (!Pause(absl::ZeroDuration())) return;
    const absl::Time now = absl::Now();
    if (is_crash) crashes.push_back(now);
    while (!crashes.empty() && now - crashes.front() > kCrashesWithin) {
      crashes.pop_front();
    }
    if (crashes.size() >= kCrashesMax) {
      std::fprintf(stderr,
                   "hearth worker: %s; that was %zu times in a minute: it is "
                   "started again in a minute\n",
                   story.c_str(), crashes.size());
      crashes.clear();
      if (!Pause(kLongPause)) return;
    } else {
      std::fprintf(stderr, "hearth worker: %s; it is started again\n",
                   story.c_str());
      if (!Pause(kFirstPause * (1 << crashes.size()) / 2)) return;
    }
    launched = Launch();
  }
}

}  // namespace hearth::worker
