// `hearth coordinator`.
#include <signal.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "client/gateway/gateway.h"
#include "client/gateway/token_file.h"
#include "hearth/base/absolute_path.h"
#include "hearth/base/descriptor_limit.h"
#include "hearth/base/listening.h"
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

// Where the gateway's token is; empty for one that asks for none.
absl::StatusOr<std::string> TokenFileOf(
    const client::CoordinatorProcess& options, const client::Context& context) {
  if (!options.http_token.empty()) return options.http_token;
  if (context.insecure) return std::string();
  if (!options.state_dir.empty()) return options.state_dir + "/http-token";
  return client::TokenPathOfUser();
}

// Objects of this coordinator for who speaks HTTP; null where none is asked
// for. `coordinator`: where it serves already.
absl::StatusOr<std::unique_ptr<client::Gateway>> StartGateway(
    const client::CoordinatorProcess& options, const client::Context& context,
    const std::string& coordinator, const std::string& token_file) {
  if (options.http.empty()) return nullptr;
  HEARTH_ASSIGN_OR_RETURN(const Address listen, Address::Parse(options.http));
  HEARTH_ASSIGN_OR_RETURN(
      Objects objects,
      Objects::Connect(coordinator, {.tls_dir = context.tls_dir,
                                     .insecure = context.insecure}));
  return client::Gateway::Start(std::move(objects),
                                {.listen = listen,
                                 .token_file = token_file,
                                 .insecure = context.insecure});
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
  std::optional<SocketFile> socket_file;
  if (server_options.local.has_value() && !server_options.listener.valid()) {
    HEARTH_ASSIGN_OR_RETURN(Listening made,
                            ListenForPeople(*server_options.local));
    server_options.listener = std::move(made.fd);
    server_options.local = made.address;
    socket_file.emplace(std::move(made.file));
  }
  std::string token_file;
  if (!options.http.empty()) {
    HEARTH_ASSIGN_OR_RETURN(token_file, TokenFileOf(options, context));
    // For clients in other folders; none stays none.
    if (!token_file.empty()) token_file = AbsolutePath(token_file);
    // The gateway's own way in, whatever clients were given.
    if (!server_options.local.has_value()) {
      server_options.local = RandomAbstractAddress();
    }
  }
  const std::string local = server_options.local.has_value()
                                ? server_options.local->ToString()
                                : std::string();
  std::unique_ptr<worker::WorkerLifeline> lifeline;
  if (options.child) {
    HEARTH_ASSIGN_OR_RETURN(
        lifeline, worker::WorkerLifeline::Take(UniqueFd(worker::kLifelineFd)));
  }
  HEARTH_ASSIGN_OR_RETURN(const auto server, server::CoordinatorServer::Start(
                                                 std::move(server_options)));
  HEARTH_ASSIGN_OR_RETURN(const auto gateway,
                          StartGateway(options, context, local, token_file));
  if (lifeline != nullptr) {
    lifeline->StartWatching({.on_story = [&](const worker::WorkerStory& story) {
      server->TellStory(options.keeper, story.pid, story.WithLastWords());
    }});
    HEARTH_RETURN_IF_ERROR(lifeline->Ready(server->address()));
  } else {
    ReadyLine ready{.address = server->address(), .pids = {getpid()}};
    if (gateway != nullptr) {
      ready.http = gateway->url();
      ready.http_token = token_file;
    }
    HEARTH_RETURN_IF_ERROR(PrintReady("coordinator", ready, context.json));
  }
  int signal = 0;
  sigwait(&stop_signals, &signal);
  return signal == SIGINT ? kExitInterrupted : 0;
}

}  // namespace hearth
