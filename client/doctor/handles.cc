#include "client/doctor/handles.h"

#include <algorithm>
#include <cstdint>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "hearth/base/id.h"
#include "hearth/base/read_file.h"
#include "hearth/base/units.h"
#include "hearth/transport/handover/handover_client.h"

namespace hearth::client {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(1);
constexpr std::size_t kProcessesNamed = 5;

// Columns of a line: address, references, protocol, flags, type, state, inode,
// name.
constexpr std::size_t kFlags = 3;
constexpr std::size_t kType = 4;
constexpr std::size_t kName = 7;
constexpr absl::string_view kListens = "00010000";
constexpr absl::string_view kSeqpacket = "0005";
constexpr absl::string_view kPrefix = "@hearth-";

}  // namespace

std::vector<Address> KeepersIn(absl::string_view proc_net_unix) {
  std::vector<Address> keepers;
  for (const absl::string_view line : absl::StrSplit(proc_net_unix, '\n')) {
    const std::vector<absl::string_view> columns =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (columns.size() != kName + 1 || columns[kFlags] != kListens ||
        columns[kType] != kSeqpacket ||
        !absl::StartsWith(columns[kName], kPrefix) ||
        !Id::Parse(columns[kName].substr(kPrefix.size())).has_value()) {
      continue;
    }
    keepers.push_back(Address::Abstract(columns[kName].substr(1)));
  }
  return keepers;
}

std::vector<HeldSegment> ReadHandles() {
  std::vector<HeldSegment> handles;
  const auto sockets = ReadSmallFile("/proc/net/unix");
  if (!sockets.ok()) return handles;
  for (const Address& keeper : KeepersIn(*sockets)) {
    const auto held =
        HandoverClient({.keeper = keeper, .deadline = kPatience}).List();
    if (!held.ok()) continue;  // another user's, or it ended meanwhile
    std::copy_if(held->begin(), held->end(), std::back_inserter(handles),
                 [](const HeldSegment& one) { return one.is_ticket; });
  }
  return handles;
}

Check JudgeHandles(const std::vector<HeldSegment>& held,
                   std::string (*name_of)(int process)) {
  Check check{.name = "handles", .found = "no shared array is handed out"};
  if (held.empty()) return check;
  std::int64_t waiting = 0;
  std::uint64_t bytes = 0;
  std::set<int> givers;
  for (const HeldSegment& one : held) {
    if (one.fetched) continue;
    ++waiting;
    bytes += one.bytes;
    givers.insert(one.depositor_pid);
  }
  check.found =
      absl::StrCat(held.size(), " given out, ",
                   waiting == 0 ? "all of them opened"
                                : absl::StrCat(waiting, " not opened"));
  if (waiting == 0) return check;
  std::vector<std::string> named;
  for (const int giver : givers) {
    if (named.size() == kProcessesNamed) {
      named.push_back("others");
      break;
    }
    named.push_back(absl::StrCat(name_of(giver), " ", giver));
  }
  absl::StrAppend(&check.found, " (",
                  FormatBytes(static_cast<std::int64_t>(bytes)), ", of ",
                  absl::StrJoin(named, ", "), ")");
  check.state = CheckState::kWarn;
  check.advice =
      "what was pickled and never unpickled is held until who gave it out and "
      "its parents have ended; end them, if nobody comes for it any more";
  return check;
}

std::string NameOfProcess(int process) {
  const auto name = ReadSmallFile(absl::StrCat("/proc/", process, "/comm"));
  return name.ok() ? std::string(absl::StripAsciiWhitespace(*name))
                   : std::string("process");
}

}  // namespace hearth::client
