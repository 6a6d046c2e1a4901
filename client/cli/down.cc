// down: ends what `up` started.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/launched.h"
#include "client/cli/print.h"
#include "client/launch/ssh/remote_cluster.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth::client {
namespace {

struct DownOptions {
  std::string id;
  std::string hosts_file;
};

Json JsonOf(const HostEnd& end) {
  return {{"host", end.host},
          {"state", !end.found.empty() ? "failed"
                    : end.gone > 0     ? "down"
                                       : "nothing"},
          {"found", end.found.empty() ? Json(nullptr) : Json(end.found)}};
}

// Ends `ids` on `hosts`, prints what happened, and says on which it failed.
std::vector<std::string> EndAndPrint(const std::vector<std::string>& hosts,
                                     const std::vector<std::string>& ids,
                                     const std::string& ssh,
                                     const Context& context, Json& printed) {
  std::vector<std::string> failures;
  for (const HostEnd& end : EndOnHosts({.ssh = ssh, .hosts = hosts}, ids)) {
    printed.push_back(JsonOf(end));
    if (!end.found.empty()) {
      failures.push_back(absl::StrCat(end.host, ": ", end.found));
    }
    if (context.json || !end.found.empty()) continue;
    std::printf("%s  %s\n", end.host.c_str(),
                end.gone > 0 ? "down" : "nothing was up");
  }
  std::fflush(stdout);
  return failures;
}

absl::Status RunDown(const DownOptions& options, const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const ClusterRecords records,
                          ClusterRecords::OfUser());
  Meant meant{.id = options.id};
  if (!options.hosts_file.empty()) {
    HEARTH_ASSIGN_OR_RETURN(meant.hosts, ReadHostsFile(options.hosts_file));
  }
  HEARTH_ASSIGN_OR_RETURN(const auto clusters,
                          RecordsMeant(records, meant, context));
  if (clusters.size() > 1 && meant.hosts.empty()) {
    return Error(
        Reason::kBadParameter,
        absl::StrCat("end a cluster: there is more than one: ",
                     ListOf(clusters), "; name one, as hearth down ID"));
  }
  for (const ClusterRecord& cluster : clusters) {
    if (!BeingStarted(cluster)) continue;
    return Error(Reason::kNameTaken,
                 absl::StrCat("end cluster ", cluster.id, ": process ",
                              cluster.launcher_pid,
                              " is still starting it; stop that with Ctrl-C, "
                              "which takes it down"));
  }
  Json printed = Json::array();
  std::vector<std::string> failures;
  for (const ClusterRecord& cluster : clusters) {
    WaitForItsSessions(cluster);
    const auto left = EndAndPrint(TouchedHosts(cluster), {cluster.id},
                                  SshCommandOf(&cluster), context, printed);
    failures.insert(failures.end(), left.begin(), left.end());
    if (left.empty()) HEARTH_RETURN_IF_ERROR(records.Remove(cluster.id));
  }
  if (clusters.empty() && !meant.hosts.empty()) {
    // Somebody else's machine started it, or its record is lost.
    failures =
        EndAndPrint(NamesOf(meant.hosts), {}, SshCommandOf(), context, printed);
  } else if (clusters.empty() && !context.json) {
    std::printf(
        "no cluster of hearth up is known here; hearth down --hosts "
        "FILE looks on the hosts\n");
  }
  if (context.json) PrintJson({{"hosts", printed}});
  if (failures.empty()) return absl::OkStatus();
  return Error(Reason::kClusterUnreachable,
               absl::StrCat("end the cluster: not everything is down: ",
                            absl::StrJoin(failures, " | "),
                            " | then run hearth down again"));
}

}  // namespace

void AddDown(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<DownOptions>();
  CLI::App* command = AddCommand(
      app, line, "down", "End a cluster that `up` started",
      "  hearth down\n"
      "  hearth down 1a2b3c4d5e6f                # where there are several\n"
      "  hearth down --hosts hosts.txt           # also from another machine",
      [options, &line] { return RunDown(*options, line.context); });
  command->add_option("ID", options->id, "Of the cluster, as status prints it");
  command
      ->add_option("--hosts", options->hosts_file,
                   "End the cluster of these hosts; without a record of one, "
                   "whatever of yours runs there")
      ->type_name("FILE");
}

}  // namespace hearth::client
