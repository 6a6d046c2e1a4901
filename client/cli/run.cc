// run: submit a computation, wait for it, print its result.
#include <unistd.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/arguments.h"
#include "client/cli/checks.h"
#include "client/cli/command.h"
#include "client/cli/interrupt.h"
#include "client/cli/matrix_options.h"
#include "client/cli/output/array_json.h"
#include "client/cli/output/array_text.h"
#include "client/cli/output/npy_writer.h"
#include "client/cli/output/output_file.h"
#include "client/cli/output/progress.h"
#include "client/cli/output/table.h"
#include "client/cli/output/units.h"
#include "client/cli/print.h"
#include "client/cli/replay.h"
#include "client/cli/surroundings.h"
#include "hearth/base/error.h"
#include "hearth/base/mutex.h"
#include "hearth/base/status.h"
#include "hearth/compute/registry.h"

namespace hearth::client {
namespace {

// As long as a job may take to stop, when it is cancelled.
constexpr absl::Duration kInterruptPatience = absl::Seconds(1);

struct RunOptions {
  std::string operation;
  std::string matrix;
  std::vector<std::string> parameters;
  int workers = 0;
  std::string file;
  bool explain = false;
  std::string leaves;  // of a replay; empty: all of it
  RawOptions raw;
};

absl::StatusOr<std::map<std::string, std::string>> ParseParameters(
    const RunOptions& options) {
  std::map<std::string, std::string> parameters;
  for (const std::string& text : options.parameters) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error(Reason::kBadUsage,
                   absl::StrCat("run ", options.operation, ": \"", text,
                                "\" is no parameter; write key=value, as "
                                "axis=0"));
    }
    if (!parameters.emplace(text.substr(0, equals), text.substr(equals + 1))
             .second) {
      return Error(Reason::kBadUsage,
                   absl::StrCat("run ", options.operation, ": parameter ",
                                text.substr(0, equals),
                                " is given twice; give it once"));
    }
  }
  return parameters;
}

std::string Quoted(const std::string& word) {
  const bool plain =
      !word.empty() && word.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY"
                           "Z0123456789_-./=,:+") == std::string::npos;
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

// How a person runs one task of this job alone: "{leaves}" is filled in by the
// coordinator.
std::string ReplayCommand(const RunOptions& options) {
  std::vector<std::string> words = {"hearth", "run", options.operation,
                                    options.matrix};
  words.insert(words.end(), options.parameters.begin(),
               options.parameters.end());
  if (!options.raw.dtype.empty()) {
    words.insert(
        words.end(),
        {"--dtype", options.raw.dtype, "--shape", options.raw.shape, "--offset",
         absl::StrCat(options.raw.offset), "--order", options.raw.order});
  }
  for (std::string& word : words) word = Quoted(word);
  return absl::StrCat(absl::StrJoin(words, " "),
                      " --workers 1 --leaves {leaves}");
}

// The bar on a terminal, redrawn in place; nothing elsewhere.
class ProgressBar {
 public:
  ProgressBar(std::string what, std::int64_t matrix_bytes)
      : what_(std::move(what)),
        matrix_bytes_(matrix_bytes),
        shown_(isatty(STDERR_FILENO) == 1) {}
  ~ProgressBar() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
  }
  void Show(const JobSummary& job) {
    if (!shown_) return;
    drawn_ = true;
    std::fprintf(stderr, "\r\x1b[K%s",
                 ProgressLine({.what = what_,
                               .blocks_done = job.done,
                               .blocks_total = job.total,
                               .matrix_bytes = matrix_bytes_,
                               .elapsed = absl::Now() - started_},
                              kTableWidth - 1)
                     .c_str());
    std::fflush(stderr);
  }

 private:
  const std::string what_;
  const std::int64_t matrix_bytes_;
  const bool shown_;
  const absl::Time started_ = absl::Now();
  bool drawn_ = false;
};

Json JobJson(const std::string& id, const JobStatistics& job) {
  Json hosts = Json::array();
  for (const HostStatistics& host : job.hosts) {
    hosts.push_back({{"host", host.host},
                     {"workers", host.workers},
                     {"bytes_mapped", host.bytes_mapped},
                     {"bytes_streamed", host.bytes_streamed},
                     {"bytes_copied", host.bytes_copied},
                     {"bytes_converted", host.bytes_converted},
                     {"seconds_busy", host.busy_seconds}});
  }
  return {{"id", id},
          {"seconds", job.seconds},
          {"workers", job.workers},
          {"row_blocks", job.row_blocks},
          {"bytes_mapped", job.bytes_mapped},
          {"bytes_streamed", job.bytes_streamed},
          {"bytes_copied", job.bytes_copied},
          {"bytes_converted", job.bytes_converted},
          {"retries", job.retries},
          {"hosts", hosts}};
}

absl::Status Print(const RunOptions& options, const Context& context,
                   const std::string& id, const JobResult& result) {
  const std::vector<ArrayView> views = ViewsOf(result);
  if (!options.file.empty()) {
    HEARTH_RETURN_IF_ERROR(CheckOutputPath(options.file, views.size()));
    HEARTH_RETURN_IF_ERROR(WriteArrays(options.file, views));
  }
  if (context.json) {
    std::string document = absl::StrCat(
        "{\"operation\": ", JsonString(options.operation),
        ", \"matrix\": ", JsonString(options.matrix), ", \"result\": ");
    HEARTH_RETURN_IF_ERROR(AppendResultJson(views, options.file, document));
    absl::StrAppend(
        &document, ", \"job\": ", JobJson(id, result.statistics).dump(), "}\n");
    std::fwrite(document.data(), 1, document.size(), stdout);
    return absl::OkStatus();
  }
  if (options.file.empty()) {
    std::fputs(ResultText(views).c_str(), stdout);
  } else {
    PrintText(options.file + "\n");
  }
  return absl::OkStatus();
}

absl::Status Explain(const RunOptions& options, const Context& context,
                     const Cluster& cluster, const Submission& submission) {
  HEARTH_ASSIGN_OR_RETURN(const Explanation plan,
                          cluster.Explain(options.operation, submission));
  if (context.json) {
    Json hosts = Json::array();
    for (const Explanation::Host& host : plan.hosts) {
      hosts.push_back({{"host", host.host},
                       {"workers", host.workers},
                       {"source", host.source},
                       {"bytes_mapped", host.bytes_mapped},
                       {"bytes_streamed", host.bytes_streamed},
                       {"bytes_copied", host.bytes_copied},
                       {"bytes_converted", host.bytes_converted},
                       {"seconds_expected", host.seconds_expected}});
    }
    PrintJson(
        {{"explain", {{"row_blocks", plan.row_blocks}, {"hosts", hosts}}}});
    return absl::OkStatus();
  }
  std::printf("%s row blocks\n", HumanCount(plan.row_blocks).c_str());
  using Align = Table::Align;
  Table table{.columns = {{"HOST"},
                          {"WORKERS", Align::kRight, true},
                          {"SOURCE"},
                          {"MAPPED", Align::kRight, true},
                          {"STREAMED", Align::kRight, true},
                          {"COPIED", Align::kRight, true},
                          {"CONVERTED", Align::kRight, true},
                          {"EXPECTED", Align::kRight, true}},
              .rows = {}};
  for (const Explanation::Host& host : plan.hosts) {
    table.rows.push_back(
        {host.host, absl::StrCat(host.workers), host.source,
         HumanBytes(host.bytes_mapped), HumanBytes(host.bytes_streamed),
         HumanBytes(host.bytes_copied), HumanBytes(host.bytes_converted),
         HumanDuration(absl::Seconds(host.seconds_expected))});
  }
  std::fputs(FormatTable(table).c_str(), stdout);
  return absl::OkStatus();
}

absl::Status Run(const RunOptions& options, const Context& context) {
  // All that no matrix could change comes first: it is wrong usage.
  HEARTH_ASSIGN_OR_RETURN(const Operation* operation,
                          FindOperation(options.operation));
  HEARTH_ASSIGN_OR_RETURN(auto parameters, ParseParameters(options));
  HEARTH_RETURN_IF_ERROR(operation->CheckUsage(parameters));
  HEARTH_ASSIGN_OR_RETURN(const MatrixArgumentSource source,
                          SourceOf(options.matrix, options.raw));
  if (!options.file.empty()) {
    HEARTH_RETURN_IF_ERROR(CheckOutputPath(options.file, 1));
  }
  Submission submission{.matrix = options.matrix,
                        .arguments = std::move(parameters),
                        .workers_max = options.workers,
                        .source = source,
                        .replay_command = ReplayCommand(options)};
  // The file's own faults, before anything is started for it.
  HEARTH_RETURN_IF_ERROR(CheckSource(source));
  const bool writes =
      !options.file.empty() && !options.explain && options.leaves.empty();
  if (writes) HEARTH_RETURN_IF_ERROR(OutputFile::CheckCreate(options.file));

  Mutex mutex;
  std::optional<Job> job;
  const InterruptGuard guard(
      {.run =
           [&] {
             MutexLock lock(mutex);
             if (job.has_value()) job->Cancel().IgnoreError();
           },
       .patience = kInterruptPatience,
       .out_of_patience =
           context.cluster.empty()
               ? "interrupted; its cluster did not answer, and is ended"
               : absl::StrCat("interrupted; the cluster at ", context.cluster,
                              " does not answer, and the job may go on there: "
                              "see hearth jobs")});
  HEARTH_ASSIGN_OR_RETURN(const Cluster cluster,
                          context.OpenCluster(options.workers));
  if (!options.leaves.empty()) {
    HEARTH_ASSIGN_OR_RETURN(const ReplayRange leaves,
                            ParseLeaves(options.leaves));
    HEARTH_ASSIGN_OR_RETURN(const Matrix matrix, cluster.Open(source));
    HEARTH_ASSIGN_OR_RETURN(
        const OpenedArguments opened,
        OpenArguments(cluster, *operation, submission.arguments));
    return Replay(*operation, matrix, opened.arguments, leaves, context.json);
  }
  if (options.explain) return Explain(options, context, cluster, submission);
  // What can't be written is refused before it is computed.
  HEARTH_ASSIGN_OR_RETURN(const Declaration declared,
                          cluster.Declare(options.operation, submission));
  if (writes) {
    HEARTH_RETURN_IF_ERROR(
        CheckOutputPath(options.file, declared.results.size()));
    std::int64_t bytes = 0;
    for (const ResultField& field : declared.results) {
      bytes += field.layout.bytes();
    }
    HEARTH_RETURN_IF_ERROR(OutputFile::CheckCreate(options.file, bytes));
  }
  {
    HEARTH_ASSIGN_OR_RETURN(Job submitted,
                            cluster.Submit(options.operation, submission));
    MutexLock lock(mutex);
    job = std::move(submitted);
    // The signal may have come before there was a job to cancel.
    if (InterruptGuard::interrupted()) job->Cancel().IgnoreError();
  }
  absl::StatusOr<JobResult> result = absl::UnknownError("");
  {
    ProgressBar bar(absl::StrCat(options.operation, " ", options.matrix),
                    declared.matrix.bytes());
    result = job->Wait([&bar](const JobSummary& now) { bar.Show(now); });
  }
  if (ReasonOf(result.status()) == Reason::kJobCancelled &&
      InterruptGuard::interrupted()) {
    return Error(Reason::kJobCancelled,
                 absl::StrCat("run ", options.operation, " ", options.matrix,
                              ": interrupted, and job ", job->id(),
                              " cancelled; run it again for its result"));
  }
  if (!result.ok()) return result.status();
  HEARTH_RETURN_IF_ERROR(Print(options, context, job->id(), *result));
  const absl::Status printed = FlushOutput();
  if (printed.ok() || options.file.empty()) return printed;
  return Error(ReasonOf(printed),
               absl::StrCat(printed.message(), "; the result itself is in ",
                            options.file));
}

}  // namespace

void AddRun(CLI::App& app, CommandLine& line) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = AddCommand(
      app, line, "run", "Compute something of a matrix",
      "  hearth run sum big.npy\n"
      "  hearth run mean big.npy axis=0 --json\n"
      "  hearth run matvec big.npy v=weights.npy -o out.npy\n"
      "  hearth run sum x.raw --dtype f4 --shape 1000,64\n"
      "  hearth operations            # what there is to compute",
      [options, &line] {
        return WithHintOfMember(Run(*options, line.context), options->matrix);
      });
  command->add_option("OPERATION", options->operation, "See hearth operations")
      ->required();
  command
      ->add_option("MATRIX", options->matrix,
                   "A file, or a name in the cluster")
      ->required();
  command->add_option("PARAMETERS", options->parameters,
                      "key=value, as axis=0 keepdims=true");
  command->add_option("--workers", options->workers, "Workers to use at most")
      ->check(IsWithin(1, 1024));
  command
      ->add_option("-o", options->file,
                   "Write the result to this .npy (.npz for several)")
      ->type_name("FILE");
  command->add_flag("--explain", options->explain,
                    "Say what would be read from where; run nothing");
  command
      ->add_option("--leaves", options->leaves,
                   "Compute these leaves alone, in this process (a replay)")
      ->type_name("a:b");
  AddRawOptions(*command, options->raw);
}

}  // namespace hearth::client
