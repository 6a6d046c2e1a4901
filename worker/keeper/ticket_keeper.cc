#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <optional>
#include <utility>

#include "absl/strings/string_view.h"
#include "hearth/base/clock.h"
#include "hearth/base/pidfd.h"
#include "hearth/transport/handover/notice.h"
#include "worker/keeper/event_loop.h"
#include "worker/keeper/handover_server.h"
#include "worker/keeper/keeper.h"
#include "worker/keeper/process_watch.h"

namespace hearth::worker {
namespace {

// Whoever started us reads it, and makes it his error.
int CannotStart(absl::string_view finding, int error,
                absl::string_view advice) {
  std::cerr << "hearth: " << finding << ": " << std::strerror(error) << "; "
            << advice << "\n";
  return 1;
}

// Leaves whoever started us: he waits for the process that gets kParent, and
// is not our parent any more when that has ended.
enum class Detached : std::uint8_t { kParent, kChild, kFailed };
Detached Detach() {
  const pid_t child = fork();
  if (child < 0) return Detached::kFailed;
  if (child > 0) return Detached::kParent;
  setsid();
  [[maybe_unused]] const int ignored = chdir("/");
  // From here on nobody reads what we would say.
  const UniqueFd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (nothing.valid()) dup2(nothing.get(), STDERR_FILENO);
  return Detached::kChild;
}

}  // namespace

int RunTicketKeeper(TicketKeeperOptions options) {
  // Opened before the fork: until it ends, the starter waits and is alive.
  UniqueFd starter = OpenPidfd(options.starter);
  if (!starter.valid() && errno != ESRCH) {
    return CannotStart("watch who shares by pidfd_open", errno,
                       "allow it where a sandbox forbids it, or raise the "
                       "limit of open files");
  }
  auto notices = ListenForNotices(options.listener.get());
  if (!notices.ok()) {
    std::cerr << "hearth: " << notices.status().message() << "\n";
    return 1;
  }
  switch (Detach()) {
    case Detached::kFailed:
      return CannotStart("leave its starter by fork", errno,
                         "see ulimit -u, and pids.max of its cgroup");
    case Detached::kParent:
      return 0;
    case Detached::kChild:
      break;
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGIO, SIG_IGN);   // held_probe.h
  signal(SIGHUP, SIG_IGN);  // no terminal of anybody's is ours

  const Clock& clock = Clock::Real();
  EventLoop loop;
  HandoverServer::Options handover;
  handover.notices = *std::move(notices);
  handover.listener = std::move(options.listener);
  handover.tickets_only = true;
  HandoverServer server(WithinOpenFilesLimit(std::move(handover)), loop, clock);
  if (!server.Start().ok()) return 1;

  bool starter_ended = false;
  ProcessWatch watch(loop, [&](pid_t) { starter_ended = true; });
  watch.Watch(options.starter, std::move(starter));

  // Whoever connects in the moment of our end sees his connection break and
  // starts another keeper.
  while (!server.books().empty() || (!server.ever_held() && !starter_ended)) {
    std::optional<absl::Duration> patience;
    if (const auto wake = server.next_wake()) patience = *wake - clock.Now();
    loop.RunOnce(patience);
    server.Tick();
  }
  return 0;
}

}  // namespace hearth::worker
