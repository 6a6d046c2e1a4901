#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "client/cli/context.h"

namespace hearth::client {

// What the parser leaves behind: the command to run, and what all commands
// share.
struct CommandLine {
  Context context;
  const ProcessMains* mains = nullptr;
  std::function<absl::Status()> chosen;
  int exit_status = 0;  // of a chosen one that ended well
};

// Adds a subcommand whose callback makes `run` the chosen one. `examples` are
// printed at the end of its --help. Without `run` it is a group of others.
CLI::App* AddCommand(CLI::App& app, CommandLine& line, const std::string& name,
                     const std::string& summary, const std::string& examples,
                     std::function<absl::Status()> run);

// One function a command, one file each.
void AddRun(CLI::App& app, CommandLine& line);
void AddPut(CLI::App& app, CommandLine& line);
void AddMake(CLI::App& app, CommandLine& line);
void AddList(CLI::App& app, CommandLine& line);
void AddInfo(CLI::App& app, CommandLine& line);
void AddGet(CLI::App& app, CommandLine& line);
void AddRemove(CLI::App& app, CommandLine& line);
void AddWorkers(CLI::App& app, CommandLine& line);
void AddJobs(CLI::App& app, CommandLine& line);
void AddCancel(CLI::App& app, CommandLine& line);
void AddDrain(CLI::App& app, CommandLine& line);
void AddOperations(CLI::App& app, CommandLine& line);
void AddProcesses(CLI::App& app, CommandLine& line);  // local, coordinator, ...
void AddObjects(CLI::App& app, CommandLine& line);
void AddCall(CLI::App& app, CommandLine& line);
void AddUp(CLI::App& app, CommandLine& line);
void AddStatus(CLI::App& app, CommandLine& line);
void AddDown(CLI::App& app, CommandLine& line);
void AddSecurity(CLI::App& app, CommandLine& line);
void AddDoctor(CLI::App& app, CommandLine& line);
void AddTop(CLI::App& app, CommandLine& line);

}  // namespace hearth::client
