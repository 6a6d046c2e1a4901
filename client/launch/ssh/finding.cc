#include "client/launch/ssh/finding.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "hearth/base/quoted.h"

namespace hearth::client {
namespace {

// The last line that says something.
std::string LastLine(absl::string_view text) {
  std::string last;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty()) last = std::string(line);
  }
  return last;
}

// As it is where it is plain text, since Quoted() would add quotes.
std::string Plain(absl::string_view text) {
  const std::string quoted = Quoted(text, 300);
  return quoted.substr(1, quoted.size() - 2);
}

bool SaysAny(absl::string_view text,
             std::initializer_list<absl::string_view> phrases) {
  for (const absl::string_view phrase : phrases) {
    if (absl::StrContains(text, phrase)) return true;
  }
  return false;
}

}  // namespace

std::string FindingOf(absl::string_view host, const SshEnd& end) {
  const absl::string_view words = end.last_words;
  const std::string said = Plain(LastLine(words));
  const std::string by_hand = absl::StrCat("try \"ssh ", host, " true\"");
  if (SaysAny(words, {"REMOTE HOST IDENTIFICATION HAS CHANGED"})) {
    return absl::StrCat(
        "its host key has changed; make sure that it is the "
        "same host, then correct known_hosts");
  }
  if (SaysAny(words, {"Host key verification failed"})) {
    return absl::StrCat("its host key is not known; ", by_hand,
                        " once, and accept its key");
  }
  if (SaysAny(words, {"Permission denied", "Too many authentication failures",
                      "No supported authentication methods"})) {
    return absl::StrCat("ssh says \"", said,
                        "\"; let it take a key of yours without a password, "
                        "as with ssh-copy-id");
  }
  if (SaysAny(words, {"Could not resolve hostname"})) {
    return absl::StrCat(
        "no such host is known; correct its name, or give it "
        "one in the configuration of ssh");
  }
  if (SaysAny(words, {"timed out", "No route to host", "unreachable",
                      "Connection refused"})) {
    return absl::StrCat("unreachable: ssh says \"", said, "\"; ", by_hand);
  }
  if (end.exit_status == 127 || end.exit_status == 126) {
    return absl::StrCat("the command could not be started: \"", said,
                        "\"; see HEARTH_SSH and the login shell");
  }
  if (said.empty()) {
    return absl::StrCat("the connection ended (status ", end.exit_status, "); ",
                        by_hand);
  }
  return absl::StrCat("the connection ended: \"", said, "\"; ", by_hand);
}

std::string FindingOf(absl::string_view kind, absl::string_view text) {
  std::string said = Plain(absl::StripAsciiWhitespace(text));
  said = std::string(absl::StripPrefix(said, "hearth: "));
  if (kind == "disk") {
    return absl::StrCat("its directory can't be written: ", said,
                        "; free some room there");
  }
  if (kind == "twice") {
    return "it is in the hosts file under another name as well; leave one of "
           "them out";
  }
  if (kind == "libraries") {
    return absl::StrCat("these libraries are missing there: ", said,
                        "; run deploy/install-dependencies.sh on it");
  }
  if (kind == "runs") {
    return absl::StrCat("hearth does not run there: ", said,
                        "; build it for that host and put it in its PATH");
  }
  if (kind == "damaged") {
    return absl::StrCat("the binary arrived damaged at ", said, "; try again");
  }
  if (kind == "tools") {
    return absl::StrCat("it has no ", said,
                        "; install coreutils and util-linux there");
  }
  if (kind == "coordinator" || kind == "worker" || kind == "beside") {
    return absl::StrCat(
        "its ", kind == "coordinator" ? "coordinator" : "workers",
        " did not start: ", said.empty() ? "it said nothing" : said,
        absl::StrContains(said, ";") ? ""
                                     : "; see that its address can be reached");
  }
  if (kind == "stays") {
    return absl::StrCat("something stays: ", said,
                        "; run hearth down once more");
  }
  return absl::StrCat(kind, ": ", said);
}

}  // namespace hearth::client
