// A hosts file, and the lines that a script on another host writes to us.
#include "client/launch/ssh/hosts_file.h"
#include "client/launch/ssh/remote_script.h"
#include "hearth/base/limits.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(hosts_text) {
  const auto hosts = hearth::client::ParseHostsFile("hosts", input);
  if (hosts.ok()) {
    Require(hosts->size() <= hearth::limits::kLaunchHostsMax);
    for (const auto& line : *hosts) {
      // Words of a shell and of ssh: never an option, never empty.
      Require(!line.host.empty() && line.host[0] != '-');
      Require(line.host.find_first_of(" \t\n'\"`$;&|<>\\") ==
              std::string::npos);
    }
  }
  const auto report = hearth::client::ParseReport("hearth-mark", input);
  if (report.has_value()) Require(!report->word.empty());
}
