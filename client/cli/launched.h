// What up, status and down share: which cluster is meant, and how its hosts are
// spoken to.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/context.h"
#include "client/launch/ssh/cluster_record.h"
#include "client/launch/ssh/hosts_file.h"

namespace hearth::client {

// HEARTH_SSH, else what the record has of it, else empty: ssh itself.
std::string SshCommandOf(const ClusterRecord* record = nullptr);

// --hosts FILE.
absl::StatusOr<std::vector<HostLine>> ReadHostsFile(const std::string& path);

std::vector<std::string> NamesOf(const std::vector<HostLine>& hosts);

// The hosts of a cluster on which there may be something of it.
std::vector<std::string> TouchedHosts(const ClusterRecord& record);

// Whether the two name the same hosts, in whatever order.
bool SameHosts(const std::vector<HostLine>& a, const std::vector<HostLine>& b);

// Whether its launcher is still at it.
bool BeingStarted(const ClusterRecord& record);

// Of the clusters with a record, those that are meant: the one of `id`; else
// those of `hosts`; else the one at --cluster; else all.
struct Meant {
  std::string id;
  std::vector<HostLine> hosts;
};
absl::StatusOr<std::vector<ClusterRecord>> RecordsMeant(
    const ClusterRecords& records, const Meant& meant, const Context& context);

// Before a cluster is ended whose launcher was killed: until nothing that it
// began is still on its way.
void WaitForItsSessions(const ClusterRecord& record);

// "1a2b (node1, node2), 3c4d (node7)", for messages.
std::string ListOf(const std::vector<ClusterRecord>& records);

}  // namespace hearth::client
