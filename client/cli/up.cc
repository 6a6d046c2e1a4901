// up: a cluster on the hosts of a file.
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/interrupt.h"
#include "client/cli/launched.h"
#include "client/cli/print.h"
#include "client/launch/ssh/remote_cluster.h"
#include "client/launch/ssh/remote_script.h"
#include "hearth/base/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/program.h"
#include "hearth/base/status.h"
#include "hearth/base/unique_fd.h"
#include "hearth/base/version.h"
#include "hearth/transport/security/credentials.h"
#include "hearth/transport/security/identity.h"
#include "hearth/transport/security/issuing.h"

namespace hearth::client {
namespace {

constexpr std::size_t kIdDigits = 12;

// The cluster's authority: what lies in the user's directory, or a new one.
struct Authority {
  std::string directory;
  KeyedCertificate signer;
  bool made = false;
};

absl::StatusOr<Authority> TakeAuthority(const Context& context) {
  Authority authority;
  std::error_code failed;
  const std::string named = CredentialsDirectory(context.tls_dir);
  authority.directory = std::filesystem::absolute(named, failed).string();
  const std::string& directory = authority.directory;
  if (!std::filesystem::exists(absl::StrCat(directory, "/", kAuthorityFile),
                               failed)) {
    HEARTH_RETURN_IF_ERROR(
        MakeCluster(directory, {.now = WallTime()}).status());
    authority.made = true;
  }
  HEARTH_RETURN_IF_ERROR(ReadCredentials(directory, WallTime()).status());
  HEARTH_ASSIGN_OR_RETURN(authority.signer.certificate,
                          ReadCertificateFile(directory, kAuthorityFile));
  HEARTH_ASSIGN_OR_RETURN(authority.signer.key,
                          ReadKeyFile(directory, kAuthorityKeyFile));
  return authority;
}

std::string StateOf(const HostStart& host) {
  return host.ready ? "ready" : "failed";
}

Json JsonOf(const HostStart& host) {
  return {{"host", host.host},
          {"state", StateOf(host)},
          {"workers", host.workers},
          {"coordinator", host.coordinator},
          {"pids", host.pids},
          {"binary", host.brought ? "brought" : "there"},
          {"found", host.found.empty() ? Json(nullptr) : Json(host.found)}};
}

std::string LineOf(const HostStart& host) {
  std::string line = absl::StrCat(host.host, "  ", StateOf(host), "  ");
  if (!host.ready) return absl::StrCat(line, host.found);
  absl::StrAppend(&line, host.workers,
                  host.workers == 1 ? " worker" : " workers");
  if (host.coordinator) absl::StrAppend(&line, ", coordinator");
  if (host.brought) absl::StrAppend(&line, ", binary brought");
  if (!host.found.empty()) absl::StrAppend(&line, " (there: ", host.found, ")");
  return line;
}

// Prints a line a host as it gets ready. Failures wait until there is a
// cluster at all: without one, standard error says all of them.
class Lines {
 public:
  void Add(std::string line) { waiting_.push_back(std::move(line)); }
  void Add(const HostStart& host) {
    waiting_.push_back(LineOf(host));
    any_ready_ = any_ready_ || host.ready;
    if (!any_ready_) return;
    for (const std::string& line : waiting_) std::printf("%s\n", line.c_str());
    std::fflush(stdout);
    waiting_.clear();
  }

 private:
  std::vector<std::string> waiting_;
  bool any_ready_ = false;
};

// As a shell reads it back.
void PrintExports(const ClusterRecord& record, const Context& context) {
  std::printf("ready %s\n", record.address.c_str());
  std::printf("export HEARTH_CLUSTER=%s\n",
              ShellQuoted(record.address).c_str());
  if (context.insecure) {
    std::printf("# and --insecure with every command\n");
  } else if (record.tls_dir !=
             std::filesystem::absolute(CredentialsDirectory("")).string()) {
    std::printf("export HEARTH_TLS_DIR=%s\n",
                ShellQuoted(record.tls_dir).c_str());
  }
}

Json JsonOf(const ClusterRecord& record, const StartResult& result) {
  Json hosts = Json::array();
  for (const HostStart& host : result.hosts) hosts.push_back(JsonOf(host));
  return {{"address", record.address},
          {"pid", result.coordinator_pid},
          {"id", record.id},
          {"tls_dir",
           record.tls_dir.empty() ? Json(nullptr) : Json(record.tls_dir)},
          {"hosts", hosts}};
}

// "node2: finding", of every host that failed.
std::string FailuresOf(const std::vector<HostStart>& hosts) {
  std::vector<std::string> failures;
  for (const HostStart& host : hosts) {
    if (!host.ready) {
      failures.push_back(absl::StrCat(host.host, ": ", host.found));
    }
  }
  return absl::StrJoin(failures, " | ");
}

class Up {
 public:
  Up(const Context& context, std::string hosts_file)
      : context_(context), hosts_file_(std::move(hosts_file)) {}

  absl::Status Run();

 private:
  absl::Status Prepare();
  absl::Status ClearTheWay();
  absl::Status TakeBack(const std::string& why);
  absl::Status Finish(const StartResult& result);

  const Context& context_;
  std::string hosts_file_;
  std::optional<ClusterRecords> records_;
  std::optional<Authority> authority_;
  std::string binary_;
  ClusterRecord record_;
};

// Everything that can fail before a host is touched.
absl::Status Up::Prepare() {
  HEARTH_ASSIGN_OR_RETURN(record_.hosts, ReadHostsFile(hosts_file_));
  HEARTH_ASSIGN_OR_RETURN(records_, ClusterRecords::OfUser());
  HEARTH_ASSIGN_OR_RETURN(binary_, FindHearthProgram());
  HEARTH_RETURN_IF_ERROR(ClearTheWay());
  if (!context_.insecure) {
    HEARTH_ASSIGN_OR_RETURN(authority_, TakeAuthority(context_));
    record_.tls_dir = authority_->directory;
  }
  record_.id = Id::Random().ToString().substr(0, kIdDigits);
  record_.version = kVersion;
  record_.ssh = SshCommandOf();
  record_.since_seconds = absl::ToUnixSeconds(WallTime());
  record_.launcher_pid = getpid();
  record_.launcher_ticks = StartTicksOf(getpid());
  return records_->Write(record_);
}

// One cluster on the same hosts is enough; what a killed `up` left of one goes.
absl::Status Up::ClearTheWay() {
  HEARTH_ASSIGN_OR_RETURN(
      const auto others,
      RecordsMeant(*records_, {.hosts = record_.hosts}, context_));
  for (const ClusterRecord& other : others) {
    if (other.launcher_pid == 0 || BeingStarted(other)) {
      return Error(
          Reason::kNameTaken,
          absl::StrCat("start a cluster: ", ListOf({other}), " ",
                       other.launcher_pid == 0 ? "is up" : "is being started",
                       " on these hosts; see hearth status, or end it with "
                       "hearth down ",
                       other.id));
    }
    WaitForItsSessions(other);
    bool gone = true;
    for (const HostEnd& end :
         EndOnHosts({.ssh = SshCommandOf(&other), .hosts = TouchedHosts(other)},
                    {other.id})) {
      gone = gone && end.found.empty();
    }
    if (gone) HEARTH_RETURN_IF_ERROR(records_->Remove(other.id));
  }
  return absl::OkStatus();
}

absl::Status Up::Run() {
  UniqueFd interrupted(eventfd(0, EFD_CLOEXEC));
  const InterruptGuard guard({.run = [fd = interrupted.get()] {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t told = write(fd, &one, sizeof(one));
  }});
  HEARTH_RETURN_IF_ERROR(Prepare());
  Lines lines;
  if (authority_.has_value() && authority_->made && !context_.json) {
    lines.Add(absl::StrCat("credentials made in ", record_.tls_dir));
  }
  StartOptions options{.id = record_.id,
                       .ssh = record_.ssh,
                       .hosts = record_.hosts,
                       .binary = binary_,
                       .version = kVersion,
                       .insecure = context_.insecure,
                       .interrupt_fd = interrupted.get()};
  options.credentials = [&]() -> absl::StatusOr<NodeCredentials> {
    HEARTH_ASSIGN_OR_RETURN(const KeyedCertificate node,
                            IssueNode(authority_->signer, {}, WallTime()));
    return NodeCredentials{.authority = authority_->signer.certificate,
                           .certificate = node.certificate,
                           .key = node.key};
  };
  options.on_host = [&](const HostStart& host) {
    if (!context_.json) lines.Add(host);
  };
  absl::StatusOr<StartResult> result = StartOnHosts(options);
  if (!result.ok()) {
    HEARTH_RETURN_IF_ERROR(records_->Remove(record_.id));
    return result.status();
  }
  for (const HostStart& host : result->hosts) {
    if (!host.touched) record_.untouched.push_back(host.host);
  }
  if (result->interrupted) return TakeBack("interrupted");
  record_.address = result->address;
  bool any_ready = false;
  for (const HostStart& host : result->hosts) {
    any_ready = any_ready || host.ready;
    if (host.coordinator) record_.coordinator_host = host.host;
  }
  if (!any_ready || record_.coordinator_host.empty()) {
    return TakeBack(FailuresOf(result->hosts));
  }
  return Finish(*result);
}

// No cluster came of it: nothing of it stays where that can be seen to.
absl::Status Up::TakeBack(const std::string& why) {
  std::vector<std::string> left;
  for (const HostEnd& end :
       EndOnHosts({.ssh = record_.ssh, .hosts = TouchedHosts(record_)},
                  {record_.id})) {
    if (!end.found.empty()) left.push_back(end.host);
  }
  if (left.empty()) {
    HEARTH_RETURN_IF_ERROR(records_->Remove(record_.id));
  }
  if (InterruptGuard::interrupted()) {
    return Error(Reason::kJobCancelled,
                 left.empty()
                     ? "start a cluster: interrupted; what was started is "
                       "taken down again"
                     : absl::StrCat("start a cluster: interrupted; ",
                                    absl::StrJoin(left, ", "),
                                    " could not be reached to take it down: "
                                    "run hearth down ",
                                    record_.id));
  }
  return Error(Reason::kClusterUnreachable,
               absl::StrCat("start a cluster: no host is up: ", why));
}

absl::Status Up::Finish(const StartResult& result) {
  record_.launcher_pid = 0;
  record_.launcher_ticks = 0;
  HEARTH_RETURN_IF_ERROR(records_->Write(record_));
  if (context_.json) {
    PrintJson(JsonOf(record_, result));
  } else {
    PrintExports(record_, context_);
  }
  std::fflush(stdout);
  const std::string failures = FailuresOf(result.hosts);
  if (failures.empty()) return absl::OkStatus();
  return Error(
      Reason::kClusterUnreachable,
      absl::StrCat("start workers: the cluster is up without ", failures));
}

}  // namespace

void AddUp(CLI::App& app, CommandLine& line) {
  auto hosts = std::make_shared<std::string>();
  AddCommand(app, line, "up", "Start a cluster on other hosts, over ssh",
             "  hearth up --hosts hosts.txt\n"
             "  eval \"$(hearth up --hosts hosts.txt | grep ^export)\"\n"
             "  HEARTH_SSH=\"ssh -F lab.config\" hearth up --hosts hosts.txt\n"
             "A host a line: HOST [workers=N] [memory=SIZE] [address=A], and "
             "# comments.",
             [hosts, &line] { return Up(line.context, *hosts).Run(); })
      ->add_option("--hosts", *hosts, "File with a host a line")
      ->type_name("FILE")
      ->required();
}

}  // namespace hearth::client
