// `hearth coordinator`.
#include <signal.h>
#include <unistd.h>

#include <utility>

#include "hearth/base/descriptor_limit.h"
#include "hearth/base/status.h"
#include "hearth/base/unix_socket.h"
#include "main/mains.h"
#include "server/service/coordinator_server.h"
#include "worker/keeper/lifeline.h"

namespace hearth {
namespace {

constexpr int kExitInterrupted = 130;

// Blocks SIGINT and SIGTERM for every thread to come.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

}  // namespace

absl::StatusOr<int> RunCoordinator(const client::CoordinatorProcess& options,
                                   const client::Context& context) {
  const sigset_t stop_signals = BlockStopSignals();
  RaiseDescriptorLimit();
  server::CoordinatorServerOptions server_options{
      .listener = UniqueFd(options.listen_fd),
      .security = {.tls_dir = context.tls_dir, .insecure = context.insecure},
      .state_dir = options.state_dir};
  // A keeper gives its workers a local address, whatever clients were given.
  for (const std::string& asked : {options.address, options.listen}) {
    if (asked.empty()) continue;
    HEARTH_ASSIGN_OR_RETURN(const Address address, Address::Parse(asked));
    (address.local() ? server_options.local : server_options.tcp) = address;
  }
  if (!server_options.local.has_value() && !server_options.tcp.has_value()) {
    server_options.local = RandomAbstractAddress();
  }
  std::unique_ptr<worker::WorkerLifeline> lifeline;
  if (options.child) {
    HEARTH_ASSIGN_OR_RETURN(
        lifeline, worker::WorkerLifeline::Take(UniqueFd(worker::kLifelineFd)));
  }
  HEARTH_ASSIGN_OR_RETURN(const auto server, server::CoordinatorServer::Start(
                                                 std::move(server_options)));
  if (lifeline != nullptr) {
    lifeline->StartWatching({.on_story = [&](const worker::WorkerStory& story) {
      server->TellStory(options.keeper, story.pid, story.WithLastWords());
    }});
    HEARTH_RETURN_IF_ERROR(lifeline->Ready(server->address()));
  } else {
    PrintReady(server->address(), {getpid()}, context.json);
  }
  int signal = 0;
  sigwait(&stop_signals, &signal);
  return signal == SIGINT ? kExitInterrupted : 0;
}

}  // namespace hearth
