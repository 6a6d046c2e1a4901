// workers, jobs, cancel, drain.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "client/cli/command.h"
#include "client/cli/listings.h"
#include "client/cli/output/units.h"
#include "client/cli/print.h"
#include "hearth/base/status.h"

namespace hearth::client {
namespace {

absl::Status RunWorkers(const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_ASSIGN_OR_RETURN(const auto workers, cluster.Workers());
  if (context.json) {
    PrintJson({{"workers", WorkersJson(workers)}});
    return absl::OkStatus();
  }
  std::fputs(FormatTable(WorkersTable(workers)).c_str(), stdout);
  std::fputs(EndsText(workers).c_str(), stdout);
  return absl::OkStatus();
}

absl::Status RunJobs(const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_ASSIGN_OR_RETURN(const auto jobs, cluster.Jobs());
  if (context.json) {
    PrintJson({{"jobs", JobsJson(jobs)}});
    return absl::OkStatus();
  }
  std::fputs(FormatTable(JobsTable(jobs)).c_str(), stdout);
  return absl::OkStatus();
}

absl::Status RunCancel(const std::string& id, const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_RETURN_IF_ERROR(cluster.CancelJob(id));
  HEARTH_ASSIGN_OR_RETURN(const auto jobs, cluster.Jobs());
  std::string state = "cancelled";
  for (const JobSummary& job : jobs) {
    if (job.id == id) state = job.state;
  }
  if (context.json) {
    PrintJson({{"id", id}, {"state", state}});
  } else {
    std::printf("%s is %s\n", id.c_str(), state.c_str());
  }
  return absl::OkStatus();
}

absl::Status RunDrain(const std::string& id, const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_ASSIGN_OR_RETURN(const std::int64_t bytes_moved, cluster.Drain(id));
  if (context.json) {
    PrintJson({{"drained", id}, {"bytes_moved", bytes_moved}});
  } else {
    std::printf("drained %s; %s moved to other hosts\n", id.c_str(),
                HumanBytes(bytes_moved).c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddWorkers(CLI::App& app, CommandLine& line) {
  AddCommand(app, line, "workers", "List the cluster's workers",
             "  hearth workers\n  hearth workers --json",
             [&line] { return RunWorkers(line.context); });
}

void AddJobs(CLI::App& app, CommandLine& line) {
  AddCommand(app, line, "jobs", "List running and recent jobs", "  hearth jobs",
             [&line] { return RunJobs(line.context); });
}

void AddCancel(CLI::App& app, CommandLine& line) {
  auto id = std::make_shared<std::string>();
  AddCommand(app, line, "cancel", "Stop a job", "  hearth cancel j3",
             [id, &line] { return RunCancel(*id, line.context); })
      ->add_option("JOB", *id, "Its id, as hearth jobs prints it")
      ->required();
}

void AddDrain(CLI::App& app, CommandLine& line) {
  auto id = std::make_shared<std::string>();
  AddCommand(app, line, "drain", "Empty a worker and let it go",
             "  hearth drain w3      # the last of a host: its matrices move",
             [id, &line] { return RunDrain(*id, line.context); })
      ->add_option("WORKER", *id, "Its id, as hearth workers prints it")
      ->required();
}

}  // namespace hearth::client
