#include "client/launch/ssh/cluster_record.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <tuple>
#include <type_traits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "hearth/base/environment.h"
#include "hearth/base/error.h"
#include "hearth/base/read_file.h"
#include "hearth/base/status.h"
#include "hearth/base/whole_file.h"

namespace hearth::client {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kSuffix[] = ".json";
constexpr int kFormat = 1;

absl::Status CantKeep(absl::string_view path, int error) {
  return Error(error == ENOSPC || error == EDQUOT ? Reason::kOutOfDisk
                                                  : Reason::kNotAllowed,
               absl::StrCat("keep a record of the cluster: ", path, ": ",
                            std::system_category().message(error),
                            "; set XDG_STATE_HOME to a folder that can be "
                            "written"));
}

}  // namespace

std::string ClusterRecord::ToJson() const {
  Json lines = Json::array();
  for (const HostLine& host : hosts) {
    lines.push_back({{"host", host.host},
                     {"workers", host.workers},
                     {"memory", host.memory},
                     {"address", host.address}});
  }
  const Json document = {{"format", kFormat},
                         {"id", id},
                         {"address", address},
                         {"coordinator_host", coordinator_host},
                         {"version", version},
                         {"tls_dir", tls_dir},
                         {"ssh", ssh},
                         {"since_seconds", since_seconds},
                         {"launcher_pid", launcher_pid},
                         {"launcher_ticks", launcher_ticks},
                         {"hosts", lines},
                         {"untouched", untouched}};
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<ClusterRecord> ClusterRecord::FromJson(absl::string_view text) {
  const Json document = Json::parse(text.begin(), text.end(), nullptr,
                                    /*allow_exceptions=*/false);
  const auto damaged = [](absl::string_view what) {
    return Error(Reason::kBadFile, absl::StrCat("\"", what, "\" is damaged"));
  };
  if (!document.is_object()) return damaged("the document");
  ClusterRecord record;
  absl::Status status;
  const auto take = [&](const Json& from, const char* name, auto& into) {
    const auto found = from.find(name);
    using Value = std::remove_reference_t<decltype(into)>;
    constexpr bool kText = std::is_same_v<Value, std::string>;
    if (found == from.end() ||
        !(kText ? found->is_string() : found->is_number_integer())) {
      status.Update(damaged(name));
    } else {
      into = found->template get<Value>();
    }
  };
  int format = 0;
  take(document, "format", format);
  if (status.ok() && format != kFormat) return damaged("format");
  take(document, "id", record.id);
  take(document, "address", record.address);
  take(document, "coordinator_host", record.coordinator_host);
  take(document, "version", record.version);
  take(document, "tls_dir", record.tls_dir);
  take(document, "ssh", record.ssh);
  take(document, "since_seconds", record.since_seconds);
  take(document, "launcher_pid", record.launcher_pid);
  take(document, "launcher_ticks", record.launcher_ticks);
  HEARTH_RETURN_IF_ERROR(status);
  const auto hosts = document.find("hosts");
  if (hosts == document.end() || !hosts->is_array()) return damaged("hosts");
  for (const Json& host : *hosts) {
    if (!host.is_object()) return damaged("hosts");
    HostLine& line = record.hosts.emplace_back();
    take(host, "host", line.host);
    take(host, "workers", line.workers);
    take(host, "memory", line.memory);
    take(host, "address", line.address);
  }
  HEARTH_RETURN_IF_ERROR(status);
  const auto untouched = document.find("untouched");
  if (untouched == document.end() || !untouched->is_array()) {
    return damaged("untouched");
  }
  for (const Json& name : *untouched) {
    if (!name.is_string()) return damaged("untouched");
    record.untouched.push_back(name.get<std::string>());
  }
  if (record.id.empty() ||
      !std::all_of(record.id.begin(), record.id.end(), absl::ascii_isxdigit)) {
    return damaged("id");  // a part of file names, here and there
  }
  return record;
}

absl::StatusOr<ClusterRecords> ClusterRecords::OfUser() {
  if (const auto state = EnvironmentVariable("XDG_STATE_HOME")) {
    return ClusterRecords(absl::StrCat(*state, "/hearth/clusters"));
  }
  if (const auto home = EnvironmentVariable("HOME")) {
    return ClusterRecords(absl::StrCat(*home, "/.local/state/hearth/clusters"));
  }
  return Error(Reason::kFileMissing,
               "find the records of clusters: neither XDG_STATE_HOME nor HOME "
               "is set; set one of them");
}

std::string ClusterRecords::PathOf(absl::string_view id) const {
  return absl::StrCat(directory_, "/", id, kSuffix);
}

absl::Status ClusterRecords::Write(const ClusterRecord& record) const {
  std::error_code failed;
  std::filesystem::create_directories(directory_, failed);
  if (failed) return CantKeep(directory_, failed.value());
  const std::string path = PathOf(record.id);
  if (const std::error_code error =
          WriteWholeFile(path, record.ToJson(), 0600, /*replace=*/true)) {
    return CantKeep(path, error.value());
  }
  return absl::OkStatus();
}

absl::Status ClusterRecords::Remove(absl::string_view id) const {
  const std::string path = PathOf(id);
  SweepPart(path);
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return Error(Reason::kNotAllowed,
               absl::StrCat("forget the cluster: ", path, ": ",
                            std::system_category().message(errno),
                            "; remove that file"));
}

absl::StatusOr<std::vector<ClusterRecord>> ClusterRecords::List() const {
  std::vector<ClusterRecord> records;
  std::error_code none;
  for (const auto& entry :
       std::filesystem::directory_iterator(directory_, none)) {
    const std::string path = entry.path().string();
    if (absl::string_view whole = path; absl::ConsumeSuffix(&whole, ".part")) {
      SweepPart(std::string(whole));
    }
    if (!absl::EndsWith(path, kSuffix)) continue;
    const absl::StatusOr<std::string> text = ReadSmallFile(path);
    if (absl::IsNotFound(text.status())) continue;  // a `down` beside us
    HEARTH_RETURN_IF_ERROR(text.status());
    absl::StatusOr<ClusterRecord> record = ClusterRecord::FromJson(*text);
    if (!record.ok()) {
      return Error(Reason::kBadFile,
                   absl::StrCat("read the record of a cluster: ", path, ": ",
                                record.status().message(),
                                "; use hearth down --hosts FILE, and remove "
                                "it"));
    }
    records.push_back(*std::move(record));
  }
  std::sort(records.begin(), records.end(),
            [](const ClusterRecord& a, const ClusterRecord& b) {
              return std::tie(a.since_seconds, a.id) <
                     std::tie(b.since_seconds, b.id);
            });
  return records;
}

std::uint64_t StartTicksOf(int pid) {
  const auto stat = ReadSmallFile(absl::StrCat("/proc/", pid, "/stat"));
  if (!stat.ok()) return 0;
  // What follows the name, which may hold anything: the state is field 3.
  const std::vector<std::string> fields = absl::StrSplit(
      stat->substr(stat->rfind(')') + 1), ' ', absl::SkipEmpty());
  constexpr std::size_t kStarted = 22 - 3;
  std::uint64_t ticks = 0;
  if (fields.size() <= kStarted || fields[0] == "Z" || fields[0] == "X" ||
      !absl::SimpleAtoi(fields[kStarted], &ticks)) {
    return 0;
  }
  return ticks;
}

}  // namespace hearth::client
