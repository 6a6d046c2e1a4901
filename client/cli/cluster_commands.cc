// workers, jobs, cancel, drain.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/command.h"
#include "client/cli/output/table.h"
#include "client/cli/output/units.h"
#include "client/cli/output/wrap.h"
#include "client/cli/print.h"
#include "hearth/base/status.h"

namespace hearth::client {
namespace {

using Align = Table::Align;

// How each of those that ended did, below the table: a column is too narrow.
void PrintEnds(const std::vector<WorkerInfo>& infos) {
  std::size_t id_width = 0;
  for (const WorkerInfo& info : infos) {
    if (!info.ended.empty()) id_width = std::max(id_width, info.id.size());
  }
  if (id_width == 0) return;
  id_width = std::max<std::size_t>(id_width, 2);
  std::printf("\n%-*s  ENDED\n", static_cast<int>(id_width), "ID");
  for (const WorkerInfo& info : infos) {
    if (info.ended.empty()) continue;
    // The row above has its number and its pid.
    absl::string_view how = info.ended;
    absl::ConsumePrefix(
        &how, absl::StrCat("worker ", info.id, " (pid ", info.pid, ") "));
    std::printf("%-*s  %s\n", static_cast<int>(id_width), info.id.c_str(),
                Wrapped(how, static_cast<int>(id_width) + 2).c_str());
  }
}

absl::Status RunWorkers(const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_ASSIGN_OR_RETURN(const auto infos, cluster.Workers());
  if (context.json) {
    Json workers = Json::array();
    for (const WorkerInfo& info : infos) {
      workers.push_back(
          {{"id", info.id},
           {"host", info.host},
           {"pid", info.pid},
           {"address", info.address},
           {"state", info.state},
           {"memory",
            {{"own", info.own},
             {"shared", info.shared},
             {"proportional", info.proportional}}},
           {"ended", info.ended.empty() ? Json(nullptr) : Json(info.ended)}});
    }
    PrintJson({{"workers", workers}});
    return absl::OkStatus();
  }
  Table table{.columns = {{"ID"},
                          {"PID", Align::kRight, true},
                          {"STATE"},
                          {"THREADS", Align::kRight, true},
                          {"OWN", Align::kRight, true},
                          {"SHARED", Align::kRight, true},
                          {"PROPORTIONAL", Align::kRight, true}},
              .rows = {}};
  for (const WorkerInfo& info : infos) {
    table.rows.push_back({info.id, absl::StrCat(info.pid), info.state,
                          absl::StrCat(info.thread_count), HumanBytes(info.own),
                          HumanBytes(info.shared),
                          HumanBytes(info.proportional)});
  }
  std::fputs(FormatTable(table).c_str(), stdout);
  PrintEnds(infos);
  return absl::OkStatus();
}

absl::Status RunJobs(const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster, context.OpenCluster());
  HEARTH_ASSIGN_OR_RETURN(const auto summaries, cluster.Jobs());
  if (context.json) {
    Json jobs = Json::array();
    for (const JobSummary& job : summaries) {
      jobs.push_back({{"id", job.id},
                      {"operation", job.operation},
                      {"matrix", job.matrix},
                      {"state", job.state},
                      {"done", job.done},
                      {"total", job.total}});
    }
    PrintJson({{"jobs", jobs}});
    return absl::OkStatus();
  }
  Table table{.columns = {{"ID"},
                          {"OPERATION"},
                          {"MATRIX"},
                          {"STATE"},
                          {"DONE", Align::kRight, true},
                          {"OF", Align::kRight, true}},
              .rows = {}};
  for (const JobSummary& job : summaries) {
    table.rows.push_back({job.id, job.operation, job.matrix, job.state,
                          absl::StrCat(job.done), absl::StrCat(job.total)});
  }
  std::fputs(FormatTable(table).c_str(), stdout);
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
