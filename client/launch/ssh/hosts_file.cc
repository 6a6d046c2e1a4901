#include "client/launch/ssh/hosts_file.h"

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "hearth/base/address.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/base/units.h"

namespace hearth::client {
namespace {

// What names and addresses are made of: letters, digits and these. No shell
// reads anything into them, and ssh takes `user@host` and `ssh://host:port`.
bool AllOf(absl::string_view text, absl::string_view punctuation) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           punctuation.find(c) != absl::string_view::npos;
  });
}

absl::Status CheckHost(absl::string_view host) {
  // ssh would take it for an option.
  if (host.front() == '-') {
    return Error(Reason::kBadUsage,
                 absl::StrCat(Quoted(host),
                              " begins with a dash; give it a "
                              "name in the configuration of "
                              "ssh"));
  }
  if (!AllOf(host, "._-@:/%+[]")) {
    return Error(Reason::kBadUsage,
                 absl::StrCat(Quoted(host),
                              " is no name of a host; write it as "
                              "ssh knows it"));
  }
  return absl::OkStatus();
}

absl::Status CheckAddress(absl::string_view address) {
  const bool plain =
      !address.empty() && address.front() != '-' && AllOf(address, ".-:[]_");
  if (plain && (absl::StrContains(address, "]:") ||
                std::count(address.begin(), address.end(), ':') == 1)) {
    if (Address::Parse(address).ok()) return absl::OkStatus();
  } else if (plain) {
    return absl::OkStatus();
  }
  return Error(Reason::kBadUsage, absl::StrCat("address=", address,
                                               " is no address; give a "
                                               "host name or an IP"));
}

absl::Status TakeWord(absl::string_view word, HostLine& line) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(word, absl::MaxSplits('=', 1));
  const auto& [key, value] = parts;
  if (key == "workers") {
    if (!absl::SimpleAtoi(value, &line.workers) || line.workers < 1 ||
        line.workers > limits::kWorkersOfHostMax) {
      return Error(Reason::kBadUsage,
                   absl::StrCat(Quoted(word),
                                ": workers are a number from 1 "
                                "to ",
                                limits::kWorkersOfHostMax));
    }
    return absl::OkStatus();
  }
  if (key == "memory") {
    HEARTH_ASSIGN_OR_RETURN(const std::int64_t bytes, ParseSize(value));
    if (bytes == 0) {
      return Error(Reason::kBadUsage,
                   absl::StrCat(Quoted(word),
                                " leaves room for no matrix at all; give a "
                                "size, as memory=48GiB, or leave it out"));
    }
    if (!AllOf(value, ".")) {
      return Error(Reason::kBadUsage,
                   absl::StrCat(Quoted(word), " is no size; as 48GiB"));
    }
    line.memory = std::string(value);
    return absl::OkStatus();
  }
  if (key == "address") {
    line.address = std::string(value);
    return CheckAddress(value);
  }
  return Error(Reason::kBadUsage,
               absl::StrCat(Quoted(word),
                            " is none of workers=N, memory=SIZE, address=A"));
}

absl::StatusOr<HostLine> ParseLine(const std::vector<std::string>& words) {
  HostLine line{.host = words.front()};
  HEARTH_RETURN_IF_ERROR(CheckHost(line.host));
  for (std::size_t i = 1; i < words.size(); ++i) {
    HEARTH_RETURN_IF_ERROR(TakeWord(words[i], line));
  }
  return line;
}

}  // namespace

absl::StatusOr<std::vector<HostLine>> ParseHostsFile(absl::string_view file,
                                                     absl::string_view text) {
  std::vector<HostLine> hosts;
  std::map<std::string, int> first_at;
  int number = 0;
  const auto wrong = [&](absl::string_view finding) {
    return Error(
        Reason::kBadUsage,
        absl::StrCat("read hosts: ", file, ", line ", number, ": ", finding));
  };
  for (absl::string_view whole : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view line = whole.substr(0, whole.find('#'));
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) continue;
    const absl::StatusOr<HostLine> host = ParseLine(words);
    if (!host.ok()) return wrong(host.status().message());
    const auto [first, fresh] = first_at.emplace(host->host, number);
    if (!fresh) {
      return wrong(absl::StrCat(host->host, " stands in line ", first->second,
                                " already; leave one of them out"));
    }
    if (hosts.size() == limits::kLaunchHostsMax) {
      return wrong(absl::StrCat("more than ", limits::kLaunchHostsMax,
                                " hosts; start the others by hand with "
                                "hearth worker"));
    }
    hosts.push_back(*host);
  }
  if (hosts.empty()) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("read hosts: ", file,
                              ": no host stands in it; write one a line, "
                              "HOST [workers=N] [memory=SIZE] [address=A]"));
  }
  return hosts;
}

}  // namespace hearth::client
