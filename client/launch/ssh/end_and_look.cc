// EndOnHosts and LookAtHosts: one script on each host, and what it reports.
#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/launch/ssh/finding.h"
#include "client/launch/ssh/host_talks.h"
#include "client/launch/ssh/remote_cluster.h"
#include "hearth/base/id.h"

namespace hearth::client {
namespace {

// Ending takes ten seconds for processes that don't answer SIGTERM.
constexpr absl::Duration kSilenceMax = absl::Seconds(30);

std::string NewMark() {
  return absl::StrCat("hearth-", Id::Random().ToString());
}

// Runs `script` on all; `on_report` hears each report but the last, "done".
// What is returned says, host by host, why that never came.
std::vector<std::string> RunOnAll(
    const HostsOptions& options, const std::string& mark, std::string script,
    const std::function<void(std::size_t host, const Report&)>& on_report) {
  std::vector<std::string> findings(options.hosts.size(), "it was not asked");
  std::vector<bool> done(options.hosts.size(), false);
  HostTalks talks({.ssh = options.ssh,
                   .hosts = options.hosts,
                   .mark = mark,
                   .script = std::move(script),
                   .interrupt_fd = options.interrupt_fd});
  for (;;) {
    HostTalks::Event event = talks.Next();
    switch (event.kind) {
      case HostTalks::Event::Kind::kReport:
        talks.Expect(event.host, kSilenceMax);
        if (event.report.word != "done") {
          on_report(event.host, event.report);
          break;
        }
        done[event.host] = true;
        findings[event.host].clear();
        talks.End(event.host);
        break;
      case HostTalks::Event::Kind::kEnded:
        if (!done[event.host]) findings[event.host] = event.finding;
        break;
      case HostTalks::Event::Kind::kInterrupted:
      case HostTalks::Event::Kind::kAllEnded:
        return findings;
    }
  }
}

}  // namespace

std::vector<HostEnd> EndOnHosts(const HostsOptions& options,
                                const std::vector<std::string>& ids) {
  const std::string mark = NewMark();
  std::vector<HostEnd> ends(options.hosts.size());
  const auto findings = RunOnAll(
      options, mark, EndScript{.mark = mark, .ids = ids}.Text(),
      [&](std::size_t host, const Report& report) {
        if (report.word == "gone") ++ends[host].gone;
        if (report.word != "fail") return;
        const std::size_t space = report.rest.find(' ');
        ends[host].found = FindingOf(
            report.rest.substr(0, space),
            space == std::string::npos ? "" : report.rest.substr(space + 1));
      });
  for (std::size_t host = 0; host < ends.size(); ++host) {
    ends[host].host = options.hosts[host];
    if (ends[host].found.empty()) ends[host].found = findings[host];
  }
  return ends;
}

std::vector<HostLook> LookAtHosts(const HostsOptions& options,
                                  absl::string_view id) {
  const std::string mark = NewMark();
  std::vector<HostLook> looks(options.hosts.size());
  const auto findings = RunOnAll(
      options, mark, LookScript{.mark = mark, .id = std::string(id)}.Text(),
      [&](std::size_t host, const Report& report) {
        HostLook& look = looks[host];
        const std::string& word = report.word;
        int number = 0;
        const bool numeric = absl::SimpleAtoi(report.rest, &number);
        if (word == "here") look.here = true;
        if (word == "coordinator") look.coordinator = true;
        if (word == "workers") look.workers = true;
        if (word == "asked" && numeric) look.asked = number;
        if (word == "child" && numeric) look.pids.push_back(number);
        if (word == "keeper" && !report.rest.empty()) look.keeper = report.rest;
        if (word == "version") look.version = report.rest;
        if (word == "since" &&
            !absl::SimpleAtoi(report.rest, &look.since_seconds)) {
          look.since_seconds = 0;
        }
      });
  for (std::size_t host = 0; host < looks.size(); ++host) {
    looks[host].host = options.hosts[host];
    looks[host].found = findings[host];
  }
  return looks;
}

}  // namespace hearth::client
