// status: what `up` started, as its hosts and its coordinator see it.
#include "hearth/base/status.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cli/command.h"
#include "client/cli/launched.h"
#include "client/cli/output/table.h"
#include "client/cli/print.h"
#include "client/launch/ssh/remote_cluster.h"
#include "hearth/base/error.h"

namespace hearth::client {
namespace {

struct StatusOptions {
  std::string id;
  std::string hosts_file;
};

// What the coordinator says, if it can be asked.
std::optional<std::vector<WorkerInfo>> AskCoordinator(
    const ClusterRecord& record, const Context& context) {
  if (record.address.empty()) return std::nullopt;
  const bool insecure = context.insecure || record.tls_dir.empty();
  const absl::StatusOr<Cluster> cluster = Cluster::Connect(
      record.address,
      {.tls_dir = !insecure && context.tls_dir.empty() ? record.tls_dir
                                                       : context.tls_dir,
       .insecure = insecure});
  if (!cluster.ok()) return std::nullopt;
  auto workers = cluster->Workers();
  if (!workers.ok()) return std::nullopt;
  return *std::move(workers);
}

// Workers of this host that can take work: the coordinator's word counts where
// there is one, else that they run.
int ReadyOf(const HostLook& look,
            const std::optional<std::vector<WorkerInfo>>& known) {
  if (!known.has_value()) return static_cast<int>(look.pids.size());
  const std::set<int> pids(look.pids.begin(), look.pids.end());
  int ready = 0;
  for (const WorkerInfo& worker : *known) {
    if (worker.host == look.keeper && worker.state == "ready" &&
        pids.contains(worker.pid)) {
      ++ready;
    }
  }
  return ready;
}

std::string StateOf(const HostLook& look) {
  if (!look.found.empty()) return "unreachable";
  if (!look.here) return "no cluster";
  return look.workers || look.coordinator ? "up" : "ended";
}

std::string TimeOf(std::int64_t seconds) {
  if (seconds == 0) return "";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(seconds),
                          absl::UTCTimeZone());
}

struct Seen {
  const ClusterRecord& record;
  bool coordinator_answers = false;
  std::vector<HostLook> hosts;
  std::vector<int> ready;
};

void PrintSeen(const Seen& seen) {
  std::printf("cluster      %s\n", seen.record.id.c_str());
  std::printf(
      "coordinator  %s on %s%s\n",
      seen.record.address.empty() ? "none" : seen.record.address.c_str(),
      seen.record.coordinator_host.empty()
          ? "no host"
          : seen.record.coordinator_host.c_str(),
      seen.coordinator_answers ? "" : ": does not answer");
  Table table{.columns = {{"HOST"},
                          {"STATE", Table::Align::kLeft, true},
                          {"WORKERS", Table::Align::kRight, true},
                          {"VERSION"},
                          {"SINCE"},
                          {"FOUND"}},
              .rows = {}};
  for (std::size_t i = 0; i < seen.hosts.size(); ++i) {
    const HostLook& look = seen.hosts[i];
    table.rows.push_back(
        {look.host, StateOf(look),
         look.here ? absl::StrCat(seen.ready[i], "/", look.asked) : "",
         look.version, TimeOf(look.since_seconds), look.found});
  }
  std::fputs(FormatTable(table).c_str(), stdout);
}

Json JsonOf(const Seen& seen) {
  Json hosts = Json::array();
  for (std::size_t i = 0; i < seen.hosts.size(); ++i) {
    const HostLook& look = seen.hosts[i];
    hosts.push_back(
        {{"host", look.host},
         {"state", StateOf(look)},
         {"workers", {{"ready", seen.ready[i]}, {"asked", look.asked}}},
         {"coordinator", look.coordinator},
         {"pids", look.pids},
         {"version", look.version.empty() ? Json(nullptr) : Json(look.version)},
         {"since", look.since_seconds == 0 ? Json(nullptr)
                                           : Json(TimeOf(look.since_seconds))},
         {"found", look.found.empty() ? Json(nullptr) : Json(look.found)}});
  }
  return {{"id", seen.record.id},
          {"address", seen.record.address},
          {"coordinator",
           {{"host", seen.record.coordinator_host},
            {"answers", seen.coordinator_answers}}},
          {"hosts", hosts}};
}

absl::Status RunStatus(const StatusOptions& options, const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const ClusterRecords records,
                          ClusterRecords::OfUser());
  Meant meant{.id = options.id};
  if (!options.hosts_file.empty()) {
    HEARTH_ASSIGN_OR_RETURN(meant.hosts, ReadHostsFile(options.hosts_file));
  }
  HEARTH_ASSIGN_OR_RETURN(const auto clusters,
                          RecordsMeant(records, meant, context));
  if (clusters.empty()) {
    return Error(Reason::kNameUnknown,
                 absl::StrCat("look at a cluster: this machine has started "
                              "none",
                              meant.hosts.empty() ? "" : " on these hosts",
                              "; start one with hearth up --hosts FILE"));
  }
  if (clusters.size() > 1) {
    return Error(
        Reason::kBadParameter,
        absl::StrCat("look at a cluster: there is more than one: ",
                     ListOf(clusters), "; name one, as hearth status ID"));
  }
  const ClusterRecord& record = clusters.front();
  Seen seen{.record = record};
  seen.hosts = LookAtHosts(
      {.ssh = SshCommandOf(&record), .hosts = NamesOf(record.hosts)},
      record.id);
  const auto known = AskCoordinator(record, context);
  seen.coordinator_answers = known.has_value();
  for (const HostLook& look : seen.hosts) {
    seen.ready.push_back(ReadyOf(look, known));
  }
  if (context.json) {
    PrintJson(JsonOf(seen));
  } else {
    PrintSeen(seen);
  }
  return absl::OkStatus();
}

}  // namespace

void AddStatus(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<StatusOptions>();
  CLI::App* command = AddCommand(
      app, line, "status", "What `up` started, host by host",
      "  hearth status\n"
      "  hearth status --json",
      [options, &line] { return RunStatus(*options, line.context); });
  command->add_option("ID", options->id,
                      "Of the cluster, where there are "
                      "several");
  command
      ->add_option("--hosts", options->hosts_file,
                   "Of the cluster of these hosts")
      ->type_name("FILE");
}

}  // namespace hearth::client
