#include "client/cli/launched.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/launch/ssh/left_sessions.h"
#include "hearth/base/environment.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/base/read_file.h"
#include "hearth/base/status.h"

namespace hearth::client {

std::string SshCommandOf(const ClusterRecord* record) {
  if (const auto command = EnvironmentVariable("HEARTH_SSH")) return *command;
  return record == nullptr ? "" : record->ssh;
}

absl::StatusOr<std::vector<HostLine>> ReadHostsFile(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadSmallFile(path);
  if (!text.ok()) {
    return Error(Reason::kFileMissing,
                 absl::StrCat("read hosts: ", text.status().message(),
                              "; --hosts names a file with a host a line"));
  }
  return ParseHostsFile(path, *text);
}

std::vector<std::string> NamesOf(const std::vector<HostLine>& hosts) {
  std::vector<std::string> names;
  for (const HostLine& line : hosts) names.push_back(line.host);
  return names;
}

std::vector<std::string> TouchedHosts(const ClusterRecord& record) {
  std::vector<std::string> names = NamesOf(record.hosts);
  for (const std::string& untouched : record.untouched) {
    names.erase(std::remove(names.begin(), names.end(), untouched),
                names.end());
  }
  return names;
}

bool SameHosts(const std::vector<HostLine>& a, const std::vector<HostLine>& b) {
  const auto names = [](const std::vector<HostLine>& hosts) {
    const std::vector<std::string> all = NamesOf(hosts);
    return std::set<std::string>(all.begin(), all.end());
  };
  return names(a) == names(b);
}

bool BeingStarted(const ClusterRecord& record) {
  return record.launcher_pid != 0 &&
         StartTicksOf(record.launcher_pid) == record.launcher_ticks;
}

absl::StatusOr<std::vector<ClusterRecord>> RecordsMeant(
    const ClusterRecords& records, const Meant& meant, const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(std::vector<ClusterRecord> all, records.List());
  const auto keep = [&](const auto& condition) {
    all.erase(std::remove_if(all.begin(), all.end(),
                             [&](const ClusterRecord& record) {
                               return !condition(record);
                             }),
              all.end());
  };
  if (!meant.id.empty()) {
    keep([&](const ClusterRecord& record) { return record.id == meant.id; });
    if (all.empty()) {
      return Error(Reason::kNameUnknown,
                   absl::StrCat("find cluster ", Quoted(meant.id),
                                ": this machine has no record of it; hearth "
                                "down --hosts FILE looks on the hosts"));
    }
  } else if (!meant.hosts.empty()) {
    keep([&](const ClusterRecord& record) {
      return SameHosts(record.hosts, meant.hosts);
    });
  } else if (!context.cluster.empty() && all.size() > 1) {
    keep([&](const ClusterRecord& record) {
      return record.address == context.cluster;
    });
  }
  return all;
}

void WaitForItsSessions(const ClusterRecord& record) {
  if (record.launcher_pid == 0) return;
  EndLeftSessions(record.id, absl::Seconds(5));
}

std::string ListOf(const std::vector<ClusterRecord>& records) {
  return absl::StrJoin(
      records, ", ", [](std::string* out, const ClusterRecord& record) {
        const std::vector<std::string> names = NamesOf(record.hosts);
        absl::StrAppend(out, record.id, " (",
                        names.size() > 3 ? absl::StrCat(names.size(), " hosts")
                                         : absl::StrJoin(names, ", "),
                        ")");
      });
}

}  // namespace hearth::client
