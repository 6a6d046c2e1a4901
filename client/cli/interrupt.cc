#include "client/cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/launch/local_cluster.h"

namespace hearth::client {
namespace {

std::atomic<bool> interrupted_flag{false};

constexpr int kExitStatus = 130;
constexpr int kLookAgain = SIGUSR2;  // at the two flags of the watch

sigset_t Watched() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int one : {SIGINT, SIGTERM, kLookAgain}) sigaddset(&signals, one);
  return signals;
}

// The next of `signals`; 0 when `until` comes first.
int WaitFor(const sigset_t& signals, absl::Time until) {
  int signal = 0;
  do {
    const timespec limit =
        absl::ToTimespec(std::max(until - absl::Now(), absl::ZeroDuration()));
    signal = until == absl::InfiniteFuture()
                 ? sigwaitinfo(&signals, nullptr)
                 : sigtimedwait(&signals, nullptr, &limit);
  } while (signal < 0 && errno == EINTR);
  return signal < 0 ? 0 : signal;
}

[[noreturn]] void EndNow(const std::string& why) {
  if (!why.empty()) {
    const std::string line = absl::StrCat("hearth: ", why, "\n");
    [[maybe_unused]] const ssize_t ignored =
        write(STDERR_FILENO, line.data(), line.size());
  }
  WakeLocalClusters();
  _exit(kExitStatus);
}

// What stands behind the one guard.
struct Watch {
  void Run(const OnInterrupt& options) {
    const sigset_t signals = Watched();
    if (WaitFor(signals, absl::InfiniteFuture()) == kLookAgain) return;
    interrupted_flag = true;
    const absl::Time until = absl::Now() + options.patience;
    std::thread runner([&, self = pthread_self()] {
      options.run();
      has_run = true;
      pthread_kill(self, kLookAgain);
    });
    while (!has_run || !is_over) {
      const int signal = WaitFor(signals, until);
      if (signal == kLookAgain) continue;
      EndNow(signal == 0 ? options.out_of_patience : "");
    }
    runner.join();
  }

  std::atomic<bool> has_run{false};
  std::atomic<bool> is_over{false};
  std::thread thread;
};
Watch watch;

}  // namespace

InterruptGuard::InterruptGuard(OnInterrupt options) {
  const sigset_t signals = Watched();
  // Blocked here, and so in every thread made after this one.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  watch.has_run = watch.is_over = false;
  watch.thread =
      std::thread([given = std::move(options)] { watch.Run(given); });
}

InterruptGuard::~InterruptGuard() {
  watch.is_over = true;
  pthread_kill(watch.thread.native_handle(), kLookAgain);
  watch.thread.join();
}

bool InterruptGuard::interrupted() { return interrupted_flag; }

}  // namespace hearth::client
