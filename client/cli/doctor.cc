// doctor: what may stand in Hearth's way here.
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/output/wrap.h"
#include "client/cli/print.h"
#include "client/doctor/handles.h"
#include "client/doctor/machine.h"

namespace hearth::client {
namespace {

const char* NameOf(CheckState state) {
  switch (state) {
    case CheckState::kOk:
      return "ok";
    case CheckState::kWarn:
      return "warn";
    case CheckState::kFail:
      return "fail";
  }
  return "";
}

// Of the cluster that was named; none where none was.
std::vector<Check> CheckCluster(const Context& context) {
  if (context.cluster.empty()) return {};
  Check check{.name = "cluster", .found = ""};
  const auto cluster = context.OpenCluster();
  const auto workers =
      cluster.ok() ? cluster->Workers()
                   : absl::StatusOr<std::vector<WorkerInfo>>(cluster.status());
  if (!workers.ok()) {
    check.state = CheckState::kFail;
    check.found = std::string(workers.status().message());
    check.advice =
        "name the address that the cluster's ready line printed, with the "
        "options that its commands need";
    return {check};
  }
  int ready = 0;
  int lost = 0;
  for (const WorkerInfo& worker : *workers) {
    ready += worker.state == "ready" ? 1 : 0;
    lost += worker.state == "lost" ? 1 : 0;
  }
  check.found = absl::StrCat(context.cluster, " answers: ", ready, " ready, ",
                             lost, " lost");
  if (ready == 0) {
    check.state = CheckState::kFail;
    check.advice = "start workers: `hearth worker --coordinator ADDRESS`";
  } else if (lost > 0) {
    check.state = CheckState::kWarn;
    check.advice = "`hearth workers` tells how they ended";
  }
  return {check};
}

void Print(const std::vector<Check>& checks) {
  constexpr int kIndent = 18;
  for (const Check& check : checks) {
    std::printf("%-4s  %-10s  ", NameOf(check.state), check.name.c_str());
    std::printf("%s\n", Wrapped(check.found, kIndent).c_str());
    if (check.advice.empty()) continue;
    std::printf("%*s%s\n", kIndent, "", Wrapped(check.advice, kIndent).c_str());
  }
}

absl::Status RunDoctor(CommandLine& line) {
  std::vector<Check> checks = Judge(ReadMachine());
  checks.push_back(JudgeHandles(ReadHandles(), NameOfProcess));
  for (Check& check : CheckCluster(line.context)) {
    checks.push_back(std::move(check));
  }
  Json rows = Json::array();
  for (const Check& check : checks) {
    if (check.state == CheckState::kFail) line.exit_status = kExitFailed;
    rows.push_back({{"name", check.name},
                    {"state", NameOf(check.state)},
                    {"found", check.found},
                    {"advice", check.advice}});
  }
  if (line.context.json) {
    PrintJson({{"checks", rows}});
  } else {
    Print(checks);
  }
  return absl::OkStatus();
}

}  // namespace

void AddDoctor(CLI::App& app, CommandLine& line) {
  AddCommand(app, line, "doctor",
             "Check what may stand in the way on this machine",
             "  hearth doctor\n"
             "  hearth doctor --cluster head:7077\n"
             "Each check is ok, warn (it works, but less well) or fail; with a "
             "fail the\nexit status is 1.\n",
             [&line] { return RunDoctor(line); });
}

}  // namespace hearth::client
