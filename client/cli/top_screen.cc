#include "client/cli/top_screen.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/listings.h"
#include "client/cli/output/display.h"
#include "client/cli/output/units.h"

namespace hearth::client {
namespace {

std::string Counts(const std::map<std::string, int>& counts) {
  if (counts.empty()) return "none";
  return absl::StrJoin(counts, ", ", [](std::string* out, const auto& one) {
    absl::StrAppend(out, one.second, " ", one.first);
  });
}

std::string Summary(const std::string& address, const ClusterLook& now) {
  std::map<std::string, int> worker_states;
  std::int64_t threads = 0;
  std::int64_t proportional = 0;
  for (const WorkerInfo& worker : now.workers) {
    ++worker_states[worker.state];
    if (worker.ended.empty()) threads += worker.thread_count;
    proportional += worker.proportional;
  }
  std::map<std::string, int> job_states;
  for (const JobSummary& job : now.jobs) ++job_states[job.state];
  std::int64_t in_memory = 0;
  std::int64_t in_files = 0;
  for (const MatrixInfo& matrix : now.matrices) {
    (matrix.file.empty() ? in_memory : in_files) += matrix.layout.bytes();
  }
  return absl::StrCat(
      "cluster   ", address, "\nworkers   ", Counts(worker_states), "; ",
      threads, " threads; ", HumanBytes(proportional),
      " of memory, shared bytes divided\nmatrices  ", now.matrices.size(), "; ",
      HumanBytes(in_memory), " in memory, ", HumanBytes(in_files),
      " in files\njobs      ", Counts(job_states), "\n");
}

// Running ones first, then those that ended last.
std::vector<JobSummary> InOrder(std::vector<JobSummary> jobs) {
  std::reverse(jobs.begin(), jobs.end());
  std::stable_partition(jobs.begin(), jobs.end(), [](const JobSummary& job) {
    return job.state == "running";
  });
  return jobs;
}

std::vector<WorkerInfo> InOrder(std::vector<WorkerInfo> workers) {
  std::stable_partition(
      workers.begin(), workers.end(),
      [](const WorkerInfo& worker) { return worker.ended.empty(); });
  return workers;
}

// Row blocks a second since `before`; empty where that says nothing.
std::string RateOf(const JobSummary& job, const ClusterLook& now,
                   const ClusterLook* before) {
  if (before == nullptr || job.state != "running") return "";
  const double seconds = absl::ToDoubleSeconds(now.at - before->at);
  const auto then =
      std::find_if(before->jobs.begin(), before->jobs.end(),
                   [&](const JobSummary& one) { return one.id == job.id; });
  // A later pass over the matrix begins anew.
  if (then == before->jobs.end() || then->done > job.done || seconds <= 0) {
    return "";
  }
  return HumanCount(static_cast<std::int64_t>(
      static_cast<double>(job.done - then->done) / seconds));
}

Table JobsWithRates(const std::vector<JobSummary>& jobs, const ClusterLook& now,
                    const ClusterLook* before) {
  Table table = JobsTable(jobs);
  table.columns.push_back({"SHARE", Table::Align::kRight, true});
  table.columns.push_back({"BLOCKS/S", Table::Align::kRight, true});
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const JobSummary& job = jobs[i];
    const double share = job.total > 0 ? 100.0 * static_cast<double>(job.done) /
                                             static_cast<double>(job.total)
                                       : 0.0;
    table.rows[i].push_back(absl::StrFormat("%.0f %%", share));
    table.rows[i].push_back(RateOf(job, now, before));
  }
  return table;
}

// A table in at most `rows` lines; 0: in as many as it takes.
std::vector<std::string> LinesOf(Table table, int rows, int columns) {
  const auto all = static_cast<int>(table.rows.size());
  const bool is_cut = rows > 0 && all + 1 > rows;
  const int shown = is_cut ? std::max(rows - 2, 0) : all;
  table.rows.resize(static_cast<std::size_t>(shown));
  std::vector<std::string> lines =
      absl::StrSplit(FormatTable(table, columns), '\n');
  lines.pop_back();
  if (is_cut) lines.push_back(absl::StrCat("... and ", all - shown, " more"));
  return lines;
}

}  // namespace

std::string TopScreen(const std::string& address, const ClusterLook& now,
                      const ClusterLook* before, ScreenSize size) {
  std::vector<std::string> lines =
      absl::StrSplit(Summary(address, now), '\n');  // the last one is empty
  const std::vector<JobSummary> jobs = InOrder(now.jobs);
  Table job_table = JobsWithRates(jobs, now, before);
  Table worker_table = WorkersTable(InOrder(now.workers));

  // Headings and a gap apart, jobs get half of what is left, and what workers
  // do not need.
  int job_rows = 0;
  int worker_rows = 0;
  if (size.rows > 0) {
    const int left =
        std::max(size.rows - static_cast<int>(lines.size()) - 1, 0);
    const int wanted = static_cast<int>(worker_table.rows.size()) + 1;
    job_rows = std::max({left / 2, left - wanted, 1});
    job_rows = std::min(job_rows, static_cast<int>(jobs.size()) + 1);
    worker_rows = std::max(left - job_rows, 1);
  }
  for (std::string& line : LinesOf(job_table, job_rows, size.columns)) {
    lines.push_back(std::move(line));
  }
  lines.emplace_back();
  for (std::string& line : LinesOf(worker_table, worker_rows, size.columns)) {
    lines.push_back(std::move(line));
  }
  if (size.rows > 0 && std::ssize(lines) > size.rows) {
    lines.resize(static_cast<std::size_t>(size.rows));
  }
  for (std::string& line : lines) {
    line = absl::StrCat(Shortened(Printable(line), size.columns), "\n");
  }
  return absl::StrJoin(lines, "");
}

}  // namespace hearth::client
