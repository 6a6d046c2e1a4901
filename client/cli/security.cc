// security init, security issue: a cluster's credentials.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/checks.h"
#include "client/cli/command.h"
#include "client/cli/print.h"
#include "hearth/base/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/security/credentials.h"
#include "hearth/transport/security/identity.h"
#include "hearth/transport/security/issuing.h"

namespace hearth::client {
namespace {

struct SecurityOptions {
  std::string out;
  std::vector<std::string> hosts;
  int days = 365;
  bool force = false;
  std::string now;  // for tests of expiry
};

absl::StatusOr<IssueOptions> IssueOptionsOf(const SecurityOptions& options) {
  IssueOptions issue{.node = {.hosts = options.hosts,
                              .lifetime = absl::Hours(24) * options.days},
                     .replace = options.force,
                     .now = WallTime()};
  std::string error;
  if (!options.now.empty() &&
      !absl::ParseTime(absl::RFC3339_full, options.now, &issue.now, &error)) {
    return Error(Reason::kBadUsage, absl::StrCat("read --now: ", error));
  }
  return issue;
}

std::string DateOf(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

Json JsonOf(const IssuedDirectory& issued, bool with_authority_key) {
  const auto path = [&](const char* file) {
    return absl::StrCat(issued.directory, "/", file);
  };
  return {{"directory", issued.directory},
          {"authority",
           {{"certificate", path(kAuthorityFile)},
            {"key", with_authority_key ? Json(path(kAuthorityKeyFile))
                                       : Json(nullptr)},
            {"fingerprint", issued.authority.fingerprint},
            {"expires", DateOf(issued.authority.not_after)}}},
          {"node",
           {{"certificate", path(kNodeFile)},
            {"key", path(kNodeKeyFile)},
            {"fingerprint", issued.node.fingerprint},
            {"expires", DateOf(issued.node.not_after)},
            {"hosts", issued.node.hosts}}}};
}

void PrintIssued(const IssuedDirectory& issued, bool with_authority_key,
                 bool json) {
  if (json) return PrintJson(JsonOf(issued, with_authority_key));
  const auto line = [](const char* field, const std::string& value) {
    std::printf("%-11s %s\n", field, value.c_str());
  };
  line("directory", issued.directory);
  line("authority", issued.authority.fingerprint);
  line("  expires", DateOf(issued.authority.not_after));
  line("node", issued.node.fingerprint);
  line("  expires", DateOf(issued.node.not_after));
  if (!issued.node.hosts.empty()) {
    line("  hosts", absl::StrJoin(issued.node.hosts, " "));
  }
  if (with_authority_key) {
    std::printf("Keep %s here: whoever has it can join the cluster.\n",
                kAuthorityKeyFile);
  }
}

absl::Status RunInit(const SecurityOptions& options, const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const IssueOptions issue, IssueOptionsOf(options));
  HEARTH_ASSIGN_OR_RETURN(
      const IssuedDirectory issued,
      MakeCluster(CredentialsDirectory(context.tls_dir), issue));
  PrintIssued(issued, /*with_authority_key=*/true, context.json);
  return absl::OkStatus();
}

absl::Status RunIssue(const SecurityOptions& options, const Context& context) {
  HEARTH_ASSIGN_OR_RETURN(const IssueOptions issue, IssueOptionsOf(options));
  HEARTH_ASSIGN_OR_RETURN(const IssuedDirectory issued,
                          IssueDirectory(CredentialsDirectory(context.tls_dir),
                                         options.out, issue));
  PrintIssued(issued, /*with_authority_key=*/false, context.json);
  return absl::OkStatus();
}

void AddCertificateOptions(CLI::App* command, SecurityOptions& options) {
  command
      ->add_option("--host", options.hosts,
                   "Name or address of the node, for other tools; repeatable")
      ->type_name("NAME_OR_IP")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--days", options.days, "How long it is good")
      ->check(IsWithin(1, 3650))
      ->capture_default_str();
  command->add_flag("--force", options.force,
                    "Replace credentials that are there");
  command->add_option("--now", options.now)->group("");
}

}  // namespace

void AddSecurity(CLI::App& app, CommandLine& line) {
  CLI::App* security =
      AddCommand(app, line, "security", "Make a cluster's credentials for TCP",
                 "  hearth security init\n"
                 "  hearth security issue --out node7 --host node7.lab",
                 nullptr);
  security->require_subcommand(1);

  auto init = std::make_shared<SecurityOptions>();
  CLI::App* init_command = AddCommand(
      *security, line, "init",
      "Make the cluster's authority and its first node's certificate",
      "  hearth security init                  # in ~/.config/hearth/tls\n"
      "  hearth security init --tls-dir lab-tls --host head.lab",
      [init, &line] { return RunInit(*init, line.context); });
  AddCertificateOptions(init_command, *init);

  auto issue = std::make_shared<SecurityOptions>();
  CLI::App* issue_command = AddCommand(
      *security, line, "issue",
      "Make a certificate for another node, signed by the authority",
      "  hearth security issue --out node7 --host node7.lab --host 10.0.0.7\n"
      "  scp -r node7 node7.lab:.config/hearth/tls",
      [issue, &line] { return RunIssue(*issue, line.context); });
  issue_command
      ->add_option("--out", issue->out,
                   "Folder for ca.pem, node.pem and node.key")
      ->type_name("DIR")
      ->required();
  AddCertificateOptions(issue_command, *issue);
}

}  // namespace hearth::client
