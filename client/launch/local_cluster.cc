#include "client/launch/local_cluster.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "hearth/base/address.h"
#include "hearth/base/error.h"
#include "hearth/base/memfd.h"
#include "hearth/base/mutex.h"
#include "hearth/base/program.h"
#include "hearth/base/status.h"
#include "hearth/base/unix_socket.h"

namespace hearth::client {
namespace {

// Descriptors as the child sees them; above the standard three.
constexpr int kLifelineInChild = 3;
constexpr int kListenerInChild = 4;

absl::Status Spawn(const std::vector<std::string>& arguments, int lifeline,
                   int listener, int log, pid_t* pid) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  absl::Cleanup destroy = [&] {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  };
  // Every descriptor of ours is close-on-exec; dup2 clears that on the copy.
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, log, 1);
  posix_spawn_file_actions_adddup2(&actions, log, 2);
  posix_spawn_file_actions_adddup2(&actions, lifeline, kLifelineInChild);
  posix_spawn_file_actions_adddup2(&actions, listener, kListenerInChild);
  // A Ctrl-C in the terminal is the client's to answer, and its signal mask is
  // its own affair.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  const int error =
      posix_spawn(pid, argv[0], &actions, &attributes, argv.data(), environ);
  if (error != 0) {
    return absl::ErrnoToStatus(error, absl::StrCat("start ", arguments[0]));
  }
  return absl::OkStatus();
}

// The ends of lifelines that this process holds. A forked child inherits them,
// and would keep the clusters of a parent that is gone; so it closes them.
//
// Threads: any; the fork of any thread, too.
class LifelineEnds {
 public:
  void Add(int fd, pid_t keeper) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    ends_.push_back({fd, keeper});
  }
  void Remove(int fd) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    std::erase_if(ends_, [fd](const End& end) { return end.fd == fd; });
  }
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    for (const End& end : ends_) kill(end.keeper, SIGCONT);
  }
  void Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
  void Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }
  // In a child, by its only thread, which holds the lock.
  void CloseAll() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    // The number stays taken, where that can be: somebody's UniqueFd will close
    // it again.
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const End& end : ends_) {
      if (nothing < 0 || dup3(nothing, end.fd, O_CLOEXEC) < 0) close(end.fd);
    }
    if (nothing >= 0) close(nothing);
    ends_.clear();
  }

 private:
  struct End {
    int fd;
    pid_t keeper;  // not reaped while it stands here
  };
  Mutex mutex_;
  std::vector<End> ends_ ABSL_GUARDED_BY(mutex_);
};

LifelineEnds& Lifelines() {
  static LifelineEnds* const ends = [] {
    auto* const made = new LifelineEnds;
    pthread_atfork([] { Lifelines().Lock(); }, [] { Lifelines().Unlock(); },
                   [] {
                     Lifelines().CloseAll();
                     Lifelines().Unlock();
                   });
    return made;
  }();
  return *ends;
}

// Out of the way of the numbers that the child gets.
absl::StatusOr<UniqueFd> Above(UniqueFd fd, int lowest) {
  if (fd.get() >= lowest) return fd;
  UniqueFd moved(fcntl(fd.get(), F_DUPFD_CLOEXEC, lowest));
  if (!moved.valid()) return ErrnoStatus("duplicate a descriptor");
  return moved;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::Start(
    const LaunchOptions& options) {
  std::string binary = options.binary;
  if (binary.empty()) {
    HEARTH_ASSIGN_OR_RETURN(binary, FindHearthProgram());
  }
  std::unique_ptr<LocalCluster> cluster(new LocalCluster);
  const Address address = RandomAbstractAddress();
  cluster->address_ = address.ToString();
  HEARTH_ASSIGN_OR_RETURN(UniqueFd listener,
                          ListenUnix(address, SocketType::kStream));

  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return ErrnoStatus("make a lifeline");
  }
  cluster->lifeline_ = UniqueFd(pair[0]);
  UniqueFd childs_end(pair[1]);
  cluster->log_ = NewMemfd("hearth-log");
  if (!cluster->log_.valid()) return ErrnoStatus("make a log");
  fcntl(cluster->log_.get(), F_SETFL, O_APPEND);

  constexpr int kLowest = kListenerInChild + 1;
  HEARTH_ASSIGN_OR_RETURN(listener, Above(std::move(listener), kLowest));
  HEARTH_ASSIGN_OR_RETURN(childs_end, Above(std::move(childs_end), kLowest));
  HEARTH_ASSIGN_OR_RETURN(cluster->log_,
                          Above(std::move(cluster->log_), kLowest));

  std::vector<std::string> arguments = {
      binary, "local", absl::StrCat("--lifeline-fd=", kLifelineInChild),
      absl::StrCat("--listen-fd=", kListenerInChild),
      absl::StrCat("--address=", cluster->address_)};
  if (options.workers > 0) {
    arguments.push_back(absl::StrCat("--workers=", options.workers));
  }
  if (options.threads > 0) {
    arguments.push_back(absl::StrCat("--threads=", options.threads));
  }
  HEARTH_RETURN_IF_ERROR(Spawn(arguments, childs_end.get(), listener.get(),
                               cluster->log_.get(), &cluster->pid_));
  Lifelines().Add(cluster->lifeline_.get(), cluster->pid_);
  return cluster;
}

LocalCluster::~LocalCluster() {
  Lifelines().Remove(lifeline_.get());
  if (pid_ < 0) return;
  lifeline_.Reset();
  kill(pid_, SIGCONT);  // a stopped one would not see it
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

void WakeLocalClusters() { Lifelines().Wake(); }

std::string LocalCluster::LastWords() const {
  constexpr off_t kLogTailBytes = 4096;
  const off_t size = lseek(log_.get(), 0, SEEK_END);
  const off_t from = size > kLogTailBytes ? size - kLogTailBytes : 0;
  std::string tail(static_cast<std::size_t>(size - from), '\0');
  const ssize_t got = pread(log_.get(), tail.data(), tail.size(), from);
  tail.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  const std::size_t line = tail.rfind('\n');
  return line == std::string::npos ? tail : tail.substr(line + 1);
}

}  // namespace hearth::client
