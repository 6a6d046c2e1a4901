// local, coordinator, worker: the processes that stay until they are stopped.
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/checks.h"
#include "client/cli/command.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/base/units.h"

namespace hearth::client {
namespace {

// --memory, if given, must be a size that something fits in.
absl::Status CheckMemory(absl::string_view command, const std::string& memory) {
  if (memory.empty()) return absl::OkStatus();
  HEARTH_ASSIGN_OR_RETURN(const std::int64_t bytes, ParseSize(memory));
  if (bytes > 0) return absl::OkStatus();
  return Error(Reason::kBadUsage,
               absl::StrCat("start hearth ", command, ": --memory ", memory,
                            " leaves room for no matrix at all; give a size, "
                            "as 48GiB, or leave it out for what the host has"));
}

absl::Status End(CommandLine& line, const absl::StatusOr<int>& exit_status) {
  if (exit_status.ok()) line.exit_status = *exit_status;
  return exit_status.status();
}

// For processes that start this one, not for people.
void AddHidden(CLI::App* command, const std::string& name, int& value) {
  command->add_option(name, value)->group("");
}

void AddLocal(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<LocalProcess>();
  CLI::App* command = AddCommand(
      app, line, "local", "A cluster on this machine, until Ctrl-C",
      "  hearth local --workers 5\n"
      "  hearth local --json &        # {\"address\", \"pid\", \"pids\"} once "
      "it is ready",
      [options, &line]() -> absl::Status {
        HEARTH_RETURN_IF_ERROR(CheckMemory("local", options->memory));
        return End(line, line.mains->local(*options, line.context));
      });
  command->add_option("--workers", options->workers, "Workers; default: cores")
      ->check(IsWithin(1, 1024));
  command
      ->add_option("--threads", options->threads,
                   "Threads of a worker; default: cores / workers")
      ->check(IsWithin(1, 1024));
  command->add_option("--memory", options->memory,
                      "Most memory that matrices may take, as 48GiB");
  command
      ->add_option("--listen", options->listen,
                   "Address for clients; default: an abstract Unix socket")
      ->type_name("ADDRESS");
  AddHidden(command, "--lifeline-fd", options->lifeline_fd);
  AddHidden(command, "--listen-fd", options->listen_fd);
  command->add_option("--address", options->address)->group("");
}

void AddCoordinator(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<CoordinatorProcess>();
  CLI::App* command = AddCommand(
      app, line, "coordinator", "The process that workers and clients meet at",
      "  hearth coordinator\n"
      "  hearth coordinator --listen unix-abstract:lab\n"
      "  hearth coordinator --listen 10.0.0.1:7777 --state-dir "
      "/var/lib/hearth\n"
      "  hearth coordinator --http 127.0.0.1:8080",
      [options, &line]() -> absl::Status {
        if (options->http.empty() && !options->http_token.empty()) {
          return Error(Reason::kBadUsage,
                       "start hearth coordinator: --http-token is for the "
                       "gateway; say --http ADDRESS with it");
        }
        return End(line, line.mains->coordinator(*options, line.context));
      });
  command
      ->add_option("--listen", options->listen,
                   "Address; default: an abstract Unix socket")
      ->type_name("ADDRESS");
  command
      ->add_option("--state-dir", options->state_dir,
                   "Folder of its journal: started again there, it knows "
                   "matrices and jobs, and workers and clients come back")
      ->type_name("DIR");
  command
      ->add_option("--http", options->http,
                   "host:port of a gateway to objects, in JSON over HTTP")
      ->type_name("ADDRESS");
  command
      ->add_option("--http-token", options->http_token,
                   "File with the token that its clients need, made if it is "
                   "not there; default: http-token in --state-dir, else in "
                   "~/.local/state/hearth; with --insecure: none")
      ->type_name("FILE");
  AddHidden(command, "--listen-fd", options->listen_fd);
  command->add_flag("--child", options->child)->group("");
  command->add_option("--address", options->address)->group("");
  command->add_option("--keeper", options->keeper)->group("");
}

void AddWorker(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<WorkerProcess>();
  CLI::App* command = AddCommand(
      app, line, "worker", "Workers of this host, and their keeper",
      "  hearth worker --coordinator unix-abstract:lab --workers 4\n"
      "  hearth worker --coordinator 10.0.0.1:7777 --workers 8",
      [options, &line]() -> absl::Status {
        HEARTH_RETURN_IF_ERROR(CheckMemory("worker", options->memory));
        return End(line, options->child
                             ? line.mains->one_worker(*options, line.context)
                             : line.mains->worker(*options, line.context));
      });
  command
      ->add_option("--coordinator", options->coordinator,
                   "Address that the coordinator's ready line printed")
      ->type_name("ADDRESS")
      ->required();
  command->add_option("--workers", options->workers, "Worker processes")
      ->check(IsWithin(1, 1024));
  command
      ->add_option("--threads", options->threads,
                   "Threads of a worker; default: cores / workers")
      ->check(IsWithin(1, 1024));
  command->add_option("--memory", options->memory,
                      "Most memory that matrices may take, as 48GiB");
  command
      ->add_option("--listen", options->listen,
                   "host:port that other hosts read this one's matrices at, "
                   "counted up a worker; default: the address of the route to "
                   "the coordinator")
      ->type_name("ADDRESS");
  command
      ->add_option("--advertise", options->advertise,
                   "What they are told instead: host, or host:port")
      ->type_name("ADDRESS");
  command
      ->add_option("--runtime-dir", options->runtime_dir,
                   "Folder that containers of this host share: those that "
                   "have it map each other's matrices")
      ->type_name("DIR");
  command->add_option("--plugin", options->plugins,
                      "Library with classes of objects; may be repeated");
  command->add_flag(
      "--allow-python", options->allow_python,
      "Run Python functions that clients send, in a process beside "
      "each worker; $HEARTH_PYTHON, else python3, must have the "
      "hearth package");
  command->add_flag("--child", options->child)->group("");
  command->add_option("--keeper", options->keeper)->group("");
}

void AddKeeper(CLI::App& app, CommandLine& line) {
  auto starter = std::make_shared<int>(0);
  CLI::App* command = AddCommand(
      app, line, "keeper", "Holds handed-out segments", "",
      [starter, &line] { return End(line, line.mains->keeper(*starter)); });
  command->group("");  // exec'ed by the library, never typed
  AddHidden(command, "--starter", *starter);
}

}  // namespace

void AddProcesses(CLI::App& app, CommandLine& line) {
  AddLocal(app, line);
  AddCoordinator(app, line);
  AddWorker(app, line);
  AddKeeper(app, line);
}

}  // namespace hearth::client
