#include "hearth/shm/sigbus_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"

namespace hearth {
namespace {

// One call of RunGuarded, on its thread's stack.
struct Guard {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::atomic<bool>* broken = nullptr;
  Guard* outer = nullptr;
};

// initial-exec: the handler may not run the lazy allocation that other models
// need at a thread's first access, when this is linked into a Python module.
__attribute__((tls_model("initial-exec"))) thread_local Guard* innermost =
    nullptr;

struct sigaction former_action;
std::uintptr_t page_bytes = 0;  // set before the handler is installed

// Async-signal-safe: mmap is a plain system call (POSIX doesn't list it, Linux
// and glibc make it one), the flag is lock-free, nothing else is touched.
bool Replace(const Guard& guard, std::uintptr_t address) {
  static_assert(std::atomic<bool>::is_always_lock_free);
  // The flag goes up before there is a page to read: whoever reads a zero that
  // we made, on any thread, finds the flag up when its work is done.
  guard.broken->store(true);
  const std::uintptr_t page = address - address % page_bytes;
  void* const at = reinterpret_cast<void*>(page);
  return mmap(at, guard.end - page, PROT_READ,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
              0) != MAP_FAILED;
}

void PassOn(int signal_number, siginfo_t* info, void* context) {
  if ((former_action.sa_flags & SA_SIGINFO) != 0) {
    former_action.sa_sigaction(signal_number, info, context);
    return;
  }
  if (former_action.sa_handler != SIG_DFL &&
      former_action.sa_handler != SIG_IGN) {
    former_action.sa_handler(signal_number);
    return;
  }
  // Back to the default, and return: the same instruction faults again and
  // ends the process as it would have without us. One that another process
  // sent by kill() doesn't come back by itself.
  signal(signal_number, SIG_DFL);
  if (info->si_code <= 0) raise(signal_number);
}

void OnSigbus(int signal_number, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  // From the kernel, about a page that isn't there: neither sent by kill() nor
  // about alignment, which a new page would not mend.
  const bool about_a_page = info->si_code > 0 && info->si_code != BUS_ADRALN;
  for (const Guard* guard = about_a_page ? innermost : nullptr;
       guard != nullptr; guard = guard->outer) {
    if (address < guard->begin || address >= guard->end) continue;
    if (!Replace(*guard, address)) break;
    errno = saved_errno;
    return;
  }
  PassOn(signal_number, info, context);
  errno = saved_errno;
}

bool Install() {
  page_bytes = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  struct sigaction action {};
  action.sa_sigaction = OnSigbus;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  return sigaction(SIGBUS, &action, &former_action) == 0;
}

absl::Status Broken(absl::string_view file) {
  return Error(Reason::kFileChanged,
               absl::StrCat("read \"", file,
                            "\": a part of it could not be read, because it "
                            "was truncated or its disk failed; publish it "
                            "again"));
}

}  // namespace

absl::Status RunGuarded(const Mapping& mapping, absl::string_view file,
                        absl::FunctionRef<absl::Status()> work) {
  static const bool installed = Install();
  if (!installed) {
    return Error(Reason::kInternal, "install the handler of SIGBUS: refused");
  }
  const auto pages = mapping.pages();
  if (pages.empty()) return work();
  if (mapping.broken()) return Broken(file);
  const auto begin = reinterpret_cast<std::uintptr_t>(pages.data());
  Guard guard{.begin = begin,
              .end = begin + pages.size(),
              .broken = mapping.broken_flag(),
              .outer = innermost};
  // Also should the work throw: a guard may not outlive its frame.
  const absl::Cleanup leave = [&guard] { innermost = guard.outer; };
  innermost = &guard;
  // The compiler may not move the work out of its guard: the handler reads
  // `innermost` between two instructions.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const absl::Status done = work();
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return mapping.broken() ? Broken(file) : done;
}

}  // namespace hearth
