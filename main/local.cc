// `hearth local`: the keeper of this host, with a coordinator and workers.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/listening.h"
#include "hearth/base/program.h"
#include "hearth/base/status.h"
#include "hearth/base/units.h"
#include "hearth/base/unix_socket.h"
#include "main/mains.h"
#include "worker/keeper/keeper.h"

namespace hearth {
namespace {

constexpr int kListenerInCoordinator = 4;

}  // namespace

absl::StatusOr<int> RunLocal(const client::LocalProcess& options,
                             const client::Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const std::string program, FindHearthProgram());
  // What workers connect to. Clients are told the TCP address, if there is one.
  Address address = RandomAbstractAddress();
  std::optional<Address> tcp;
  for (const std::string& asked : {options.address, options.listen}) {
    if (asked.empty()) continue;
    HEARTH_ASSIGN_OR_RETURN(const Address parsed, Address::Parse(asked));
    if (parsed.local()) {
      address = parsed;
    } else {
      tcp = parsed;
    }
  }
  // Listens before anybody is started, so that all can connect at once.
  UniqueFd listener(options.listen_fd);
  std::optional<SocketFile> socket_file;
  if (!listener.valid()) {
    HEARTH_ASSIGN_OR_RETURN(Listening made, ListenForPeople(address));
    listener = std::move(made.fd);
    address = made.address;
    socket_file.emplace(std::move(made.file));
  }
  worker::KeeperOptions keeper;
  worker::ChildCommand coordinator = {
      .name = "coordinator",
      .argv = {program, "coordinator", "--child",
               absl::StrCat("--address=", address.ToString())}};
  coordinator.argv.push_back(
      absl::StrCat("--listen-fd=", kListenerInCoordinator));
  coordinator.descriptors = {{listener.get(), kListenerInCoordinator}};
  if (tcp.has_value()) {
    coordinator.argv.push_back(absl::StrCat("--listen=", tcp->ToString()));
    AddSecurityOptions(context, coordinator.argv);
  }

  const Address handover = RandomAbstractAddress();
  coordinator.argv.push_back(absl::StrCat("--keeper=", handover.ToString()));
  HEARTH_ASSIGN_OR_RETURN(keeper.listener,
                          ListenUnix(handover, SocketType::kPacket));
  const int workers = options.workers > 0 ? options.workers : CoreCount();
  const int threads = options.threads > 0 ? options.threads
                                          : std::max(1, CoreCount() / workers);
  keeper.worker_count = workers;
  keeper.worker = {.name = "worker",
                   .argv = {program, "worker", "--child",
                            absl::StrCat("--coordinator=", address.ToString()),
                            absl::StrCat("--keeper=", handover.ToString()),
                            absl::StrCat("--threads=", threads)}};
  if (context.verbose) {
    coordinator.argv.push_back("-v");
    keeper.worker.argv.push_back("-v");
  }
  keeper.essentials = {std::move(coordinator)};
  const bool embedded = options.lifeline_fd >= 0;
  keeper.lifeline = UniqueFd(options.lifeline_fd);
  if (!options.memory.empty()) {
    HEARTH_ASSIGN_OR_RETURN(const std::int64_t bytes,
                            ParseSize(options.memory));
    keeper.segment_bytes_max = static_cast<std::uint64_t>(bytes);
    keeper.worker.argv.push_back(absl::StrCat("--memory=", bytes));
  }
  keeper.verbose = context.verbose;
  absl::Status told;
  keeper.on_ready = [&](const std::vector<worker::ReadyChild>& children) {
    listener.Reset();  // the coordinator has it now
    if (embedded) return;
    std::vector<int> pids = {getpid()};
    for (const worker::ReadyChild& child : children) pids.push_back(child.pid);
    // A TCP port may have been chosen by the kernel: the coordinator knows it.
    told = PrintReady("local",
                      {.address = tcp.has_value() ? children.front().note
                                                  : address.ToString(),
                       .pids = pids},
                      context.json);
    if (!told.ok()) kill(getpid(), SIGTERM);
  };
  const int exit_status = worker::RunKeeper(std::move(keeper));
  HEARTH_RETURN_IF_ERROR(told);
  return exit_status;
}

}  // namespace hearth
