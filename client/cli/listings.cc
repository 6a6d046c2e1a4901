#include "client/cli/listings.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client/cli/output/units.h"
#include "client/cli/output/wrap.h"

namespace hearth::client {
namespace {

using Align = Table::Align;

}  // namespace

Json WorkersJson(std::span<const WorkerInfo> workers) {
  Json list = Json::array();
  for (const WorkerInfo& info : workers) {
    list.push_back(
        {{"id", info.id},
         {"host", info.host},
         {"pid", info.pid},
         {"address", info.address},
         {"state", info.state},
         {"memory",
          {{"own", info.own},
           {"shared", info.shared},
           {"proportional", info.proportional}}},
         {"ended", info.ended.empty() ? Json(nullptr) : Json(info.ended)}});
  }
  return list;
}

Json JobsJson(std::span<const JobSummary> jobs) {
  Json list = Json::array();
  for (const JobSummary& job : jobs) {
    list.push_back({{"id", job.id},
                    {"operation", job.operation},
                    {"matrix", job.matrix},
                    {"state", job.state},
                    {"done", job.done},
                    {"total", job.total}});
  }
  return list;
}

Table WorkersTable(std::span<const WorkerInfo> workers) {
  Table table{.columns = {{"ID"},
                          {"PID", Align::kRight, true},
                          {"STATE"},
                          {"THREADS", Align::kRight, true},
                          {"OWN", Align::kRight, true},
                          {"SHARED", Align::kRight, true},
                          {"PROPORTIONAL", Align::kRight, true}},
              .rows = {}};
  for (const WorkerInfo& info : workers) {
    table.rows.push_back({info.id, absl::StrCat(info.pid), info.state,
                          absl::StrCat(info.thread_count), HumanBytes(info.own),
                          HumanBytes(info.shared),
                          HumanBytes(info.proportional)});
  }
  return table;
}

Table JobsTable(std::span<const JobSummary> jobs) {
  Table table{.columns = {{"ID"},
                          {"OPERATION"},
                          {"MATRIX"},
                          {"STATE"},
                          {"DONE", Align::kRight, true},
                          {"OF", Align::kRight, true}},
              .rows = {}};
  for (const JobSummary& job : jobs) {
    table.rows.push_back({job.id, job.operation, job.matrix, job.state,
                          absl::StrCat(job.done), absl::StrCat(job.total)});
  }
  return table;
}

std::string EndsText(std::span<const WorkerInfo> workers) {
  std::size_t id_width = 0;
  for (const WorkerInfo& info : workers) {
    if (!info.ended.empty()) id_width = std::max(id_width, info.id.size());
  }
  if (id_width == 0) return "";
  const int width = static_cast<int>(std::max<std::size_t>(id_width, 2));
  std::string text = absl::StrFormat("\n%-*s  ENDED\n", width, "ID");
  for (const WorkerInfo& info : workers) {
    if (info.ended.empty()) continue;
    // The row above has its number and its pid.
    absl::string_view how = info.ended;
    absl::ConsumePrefix(
        &how, absl::StrCat("worker ", info.id, " (pid ", info.pid, ") "));
    absl::StrAppendFormat(&text, "%-*s  %s\n", width, info.id,
                          Wrapped(how, width + 2));
  }
  return text;
}

}  // namespace hearth::client
