#include "client/cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace hearth::client {
namespace {

std::atomic<bool> interrupted_flag{false};

struct Watch {
  std::thread thread;
};
Watch watch;

constexpr int kExitStatus = 130;

}  // namespace

InterruptGuard::InterruptGuard(std::function<void()> on_interrupt) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR2);  // ours: the guard is gone
  // Blocked here, and so in every thread made after this one.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  watch.thread = std::thread([signals, run = std::move(on_interrupt)] {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0 || signal == SIGUSR2) return;
    interrupted_flag = true;
    run();
    if (sigwait(&signals, &signal) == 0 && signal != SIGUSR2) {
      _exit(kExitStatus);
    }
  });
}

InterruptGuard::~InterruptGuard() {
  pthread_kill(watch.thread.native_handle(), SIGUSR2);
  watch.thread.join();
}

bool InterruptGuard::interrupted() { return interrupted_flag; }

}  // namespace hearth::client
