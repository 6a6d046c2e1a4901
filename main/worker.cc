// `hearth worker`: the keeper of this host and its workers, or one of these.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/environment.h"
#include "hearth/base/error.h"
#include "hearth/base/listening.h"
#include "hearth/base/program.h"
#include "hearth/base/status.h"
#include "hearth/base/tcp_socket.h"
#include "hearth/base/units.h"
#include "hearth/base/unix_socket.h"
#include "hearth/compute/blas.h"
#include "main/mains.h"
#include "worker/keeper/keeper.h"
#include "worker/keeper/lifeline.h"
#include "worker/keeper/runtime_socket.h"
#include "worker/objects/object_hosting.h"
#include "worker/objects/python_host.h"
#include "worker/service/worker_server.h"

namespace hearth {
namespace {

// Where worker `slot` of this host serves its segments: nowhere, in a cluster
// that has no other host.
absl::StatusOr<std::optional<Address>> ListenAddress(
    const client::WorkerProcess& options, std::uint32_t slot) {
  HEARTH_ASSIGN_OR_RETURN(const Address coordinator,
                          Address::Parse(options.coordinator));
  if (!options.listen.empty()) {
    HEARTH_ASSIGN_OR_RETURN(Address listen, Address::Parse(options.listen));
    // Each worker has a port of its own, counted up from the one given.
    if (listen.port != 0) {
      listen.port = static_cast<std::uint16_t>(listen.port + slot);
    }
    return std::optional<Address>(listen);
  }
  if (coordinator.local()) return std::optional<Address>();
  HEARTH_ASSIGN_OR_RETURN(std::string own, OwnAddressTowards(coordinator));
  return std::optional<Address>(
      Address{.kind = Address::Kind::kTcp, .name = std::move(own), .port = 0});
}

// What each worker would refuse, refused before one is started.
absl::Status CheckAddresses(const client::WorkerProcess& options) {
  if (!options.listen.empty()) {
    HEARTH_ASSIGN_OR_RETURN(const Address listen,
                            Address::Parse(options.listen));
    if (listen.local()) {
      return Error(
          Reason::kBadUsage,
          absl::StrCat("start hearth worker: --listen ", options.listen,
                       " is for other hosts, which don't reach a "
                       "Unix socket; give host:port, or leave it "
                       "out"));
    }
    const std::int64_t last = std::int64_t{listen.port} + options.workers - 1;
    if (listen.port != 0 && last > std::numeric_limits<std::uint16_t>::max()) {
      return Error(
          Reason::kBadUsage,
          absl::StrCat("start hearth worker: --listen ", options.listen,
                       " has no port for worker ", 65536 - listen.port + 1,
                       " of ", options.workers,
                       ", since each takes the next one; give a lower port, "
                       "or 0"));
    }
  }
  const std::string& told = options.advertise;
  if (told.empty() || Address::Parse(told).ok() ||
      Address::Parse(told + ":0").ok() ||
      Address::Parse(absl::StrCat("[", told, "]:0")).ok()) {
    return absl::OkStatus();
  }
  return Error(Reason::kBadUsage,
               absl::StrCat("start hearth worker: --advertise ", told,
                            " is no address; give host, or host:port"));
}

// Beside this worker, where functions of clients run.
absl::StatusOr<std::unique_ptr<worker::PythonHost>> StartPython(
    const client::WorkerProcess& options, const client::Context& context) {
  worker::PythonHostOptions host{
      .python = EnvironmentVariable("HEARTH_PYTHON").value_or("python3"),
      .arguments = {absl::StrCat("--coordinator=", options.coordinator),
                    absl::StrCat("--beside=", getpid(), "@", options.keeper)},
      .threads = std::max(1, options.threads)};
  AddSecurityOptions(context, host.arguments);
  return worker::PythonHost::Start(std::move(host));
}

}  // namespace

absl::StatusOr<int> RunWorkers(const client::WorkerProcess& options,
                               const client::Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const std::string program, FindHearthProgram());
  HEARTH_ASSIGN_OR_RETURN(const Address asked,
                          Address::Parse(options.coordinator));
  const Address coordinator = Absolute(asked);  // as the ready line has it
  HEARTH_RETURN_IF_ERROR(CheckAddresses(options));
  worker::KeeperOptions keeper;
  Address handover = RandomAbstractAddress();
  std::optional<worker::RuntimeSocket> shared;
  if (options.runtime_dir.empty()) {
    HEARTH_ASSIGN_OR_RETURN(keeper.listener,
                            ListenUnix(handover, SocketType::kPacket));
  } else {
    HEARTH_ASSIGN_OR_RETURN(auto made,
                            worker::RuntimeSocket::Make(options.runtime_dir));
    shared.emplace(std::move(made));
    handover = shared->address();
    keeper.listener = shared->TakeListener();
  }
  const int threads = options.threads > 0
                          ? options.threads
                          : std::max(1, CoreCount() / options.workers);
  keeper.worker_count = options.workers;
  keeper.worker = {
      .name = "worker",
      .argv = {program, "worker", "--child",
               absl::StrCat("--coordinator=", coordinator.ToString()),
               absl::StrCat("--keeper=", handover.ToString()),
               absl::StrCat("--threads=", threads)}};
  AddSecurityOptions(context, keeper.worker.argv);
  if (!options.listen.empty()) {
    keeper.worker.argv.push_back(absl::StrCat("--listen=", options.listen));
  }
  if (!options.advertise.empty()) {
    keeper.worker.argv.push_back(
        absl::StrCat("--advertise=", options.advertise));
  }
  if (!options.memory.empty()) {
    HEARTH_ASSIGN_OR_RETURN(const std::int64_t bytes,
                            ParseSize(options.memory));
    keeper.segment_bytes_max = static_cast<std::uint64_t>(bytes);
    keeper.worker.argv.push_back(absl::StrCat("--memory=", bytes));
  }
  for (const std::string& plugin : options.plugins) {
    if (access(plugin.c_str(), R_OK) != 0) {
      return Error(Reason::kFileMissing,
                   absl::StrCat("load the plugin ", plugin,
                                ": there is no such file, or it can't be "
                                "read"));
    }
    keeper.worker.argv.push_back(absl::StrCat("--plugin=", plugin));
  }
  if (options.allow_python) keeper.worker.argv.push_back("--allow-python");
  if (context.verbose) keeper.worker.argv.push_back("-v");
  keeper.hands_over = true;
  keeper.verbose = context.verbose;
  absl::Status told;
  keeper.on_ready = [&](const std::vector<worker::ReadyChild>& children) {
    std::vector<int> pids = {getpid()};
    for (const worker::ReadyChild& child : children) {
      pids.push_back(child.pid);
      // Of the Python process beside it.
      if (int python = 0; absl::SimpleAtoi(child.note, &python)) {
        pids.push_back(python);
      }
    }
    told =
        PrintReady("worker", {.address = coordinator.ToString(), .pids = pids},
                   context.json);
    if (!told.ok()) kill(getpid(), SIGTERM);
  };
  const int exit_status = worker::RunKeeper(std::move(keeper));
  HEARTH_RETURN_IF_ERROR(told);
  return exit_status;
}

absl::StatusOr<int> RunOneWorker(const client::WorkerProcess& options,
                                 const client::Context& context) {
  PrepareBlasEnvironment();
  HEARTH_ASSIGN_OR_RETURN(
      const auto lifeline,
      worker::WorkerLifeline::Take(UniqueFd(worker::kLifelineFd)));
  HEARTH_ASSIGN_OR_RETURN(const Address keeper, Address::Parse(options.keeper));
  HEARTH_ASSIGN_OR_RETURN(const Address coordinator,
                          Address::Parse(options.coordinator));
  HEARTH_ASSIGN_OR_RETURN(const std::optional<Address> listen,
                          ListenAddress(options, lifeline->hello().slot));
  HEARTH_ASSIGN_OR_RETURN(auto classes, worker::LoadPlugins(options.plugins));
  std::unique_ptr<worker::ObjectHosting> objects;
  const auto host_objects = [&] {
    if (options.plugins.empty()) return;
    auto hosting = worker::ObjectHosting::Start(
        {.coordinator = coordinator,
         .security = {.tls_dir = context.tls_dir, .insecure = context.insecure},
         .listen = listen,
         .advertise = options.advertise,
         .keeper = keeper,
         .classes = classes});
    if (hosting.ok()) {
      objects = *std::move(hosting);
    } else {
      std::fprintf(stderr, "hearth worker: %s\n",
                   std::string(hosting.status().message()).c_str());
    }
  };
  std::unique_ptr<worker::PythonHost> python;
  if (options.allow_python) {
    HEARTH_ASSIGN_OR_RETURN(python, StartPython(options, context));
  }
  std::atomic<bool> leaving = false;
  std::int64_t segment_bytes_max = 0;
  if (!options.memory.empty()) {
    HEARTH_ASSIGN_OR_RETURN(segment_bytes_max, ParseSize(options.memory));
  }
  worker::WorkerServer server(
      {.coordinator = coordinator,
       .security = {.tls_dir = context.tls_dir, .insecure = context.insecure},
       .listen = listen,
       .advertise = options.advertise,
       .keeper = keeper,
       .slot = absl::StrCat(lifeline->hello().slot),
       .threads = std::max(1, options.threads),
       .segment_bytes_max = segment_bytes_max,
       .on_ready =
           [&] {
             host_objects();
             lifeline
                 ->Ready(python == nullptr ? "" : absl::StrCat(python->pid()))
                 .IgnoreError();
           },
       .on_leaving = [&lifeline] { lifeline->Leaving().IgnoreError(); }},
      Clock::Real());
  for (const worker::WorkerStory& story : lifeline->hello().predecessors) {
    server.ReportStory(story.pid, story.WithLastWords());
  }
  lifeline->StartWatching({.on_story =
                               [&server](const worker::WorkerStory& story) {
                                 server.ReportStory(story.pid,
                                                    story.WithLastWords());
                               },
                           .on_leave =
                               [&] {
                                 leaving = true;
                                 server.Leave();
                               }});
  const absl::StatusOr<std::string> lost = server.Run();
  objects.reset();  // while somebody is there to be told
  if (!lost.ok() && leaving) {
    lifeline
        ->Leaving(
            absl::StrCat("nothing was handed over: ", lost.status().message()))
        .IgnoreError();
  }
  HEARTH_RETURN_IF_ERROR(lost.status());
  if (!lost->empty()) lifeline->Leaving(*lost).IgnoreError();
  return 0;
}

}  // namespace hearth
