#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <utility>

#include "hearth/base/clock.h"
#include "hearth/base/pidfd.h"
#include "hearth/transport/handover/notice.h"
#include "worker/keeper/event_loop.h"
#include "worker/keeper/handover_server.h"
#include "worker/keeper/keeper.h"
#include "worker/keeper/process_watch.h"

namespace hearth::worker {
namespace {

// Leaves whoever started us: he waits for the process that this returns false
// in, and is not our parent any more when it has ended.
bool Detach() {
  const pid_t child = fork();
  if (child != 0) return false;
  setsid();
  [[maybe_unused]] const int ignored = chdir("/");
  return true;
}

}  // namespace

int RunTicketKeeper(TicketKeeperOptions options) {
  // Opened before the fork: until it ends, the starter waits and is alive.
  UniqueFd starter = OpenPidfd(options.starter);
  if (!Detach()) return 0;
  signal(SIGPIPE, SIG_IGN);
  signal(SIGIO, SIG_IGN);   // held_probe.h
  signal(SIGHUP, SIG_IGN);  // no terminal of anybody's is ours

  const Clock& clock = Clock::Real();
  EventLoop loop;
  HandoverServer::Options handover;
  auto notices = ListenForNotices(options.listener.get());
  if (!notices.ok()) return 1;
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
