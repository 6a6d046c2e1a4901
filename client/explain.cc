#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/arguments.h"
#include "client/cluster_state.h"
#include "client/hearth.h"
#include "client/resolve.h"
#include "hearth/base/status.h"
#include "hearth/compute/registry.h"
#include "hearth/matrix/partition.h"

namespace hearth {
namespace {

constexpr std::size_t kProbeBytes = 16 << 20;

// Bytes a second at which one core reads these, from a look at some of them.
double ReadRate(std::span<const std::byte> bytes) {
  const auto probe = bytes.first(std::min(bytes.size(), kProbeBytes));
  const absl::Time start = absl::Now();
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < probe.size(); i += 64) {
    sum += static_cast<std::uint64_t>(probe[i]);
  }
  [[maybe_unused]] volatile const std::uint64_t keep = sum;
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  return static_cast<double>(probe.size()) / std::max(seconds, 1e-9);
}

}  // namespace

absl::Status CheckSource(const MatrixArgumentSource& source) {
  return client::Resolve(source).status();
}

absl::StatusOr<Matrix> Cluster::Open(const MatrixArgumentSource& source) const {
  HEARTH_ASSIGN_OR_RETURN(auto resolved, client::Resolve(source));
  if (const auto* name = std::get_if<std::string>(&resolved)) {
    return Get(*name);
  }
  return client::MapFile(std::get<client::MatrixFile>(std::move(resolved)));
}

// What it is, without a byte of it.
absl::StatusOr<MatrixLayout> Cluster::LayoutOf(
    const MatrixArgumentSource& source) const {
  HEARTH_ASSIGN_OR_RETURN(auto resolved, client::Resolve(source));
  if (const auto* name = std::get_if<std::string>(&resolved)) {
    HEARTH_ASSIGN_OR_RETURN(const MatrixInfo info, Info(*name));
    return info.layout;
  }
  return std::get<client::MatrixFile>(resolved).layout;
}

absl::StatusOr<Declaration> Cluster::Declare(
    absl::string_view operation, const Submission& submission) const {
  HEARTH_ASSIGN_OR_RETURN(const Operation* found, FindOperation(operation));
  HEARTH_ASSIGN_OR_RETURN(const MatrixLayout layout,
                          LayoutOf(submission.source.value_or(
                              MatrixArgumentSource{submission.matrix})));
  HEARTH_ASSIGN_OR_RETURN(
      const client::OpenedArguments opened,
      client::OpenArguments(*this, *found, submission.arguments));
  HEARTH_ASSIGN_OR_RETURN(const auto plan,
                          found->Prepare(layout, opened.arguments));
  Declaration declaration{.matrix = layout, .results = {}};
  for (const ResultArray& result : plan->DeclareResults()) {
    declaration.results.push_back({.name = result.name,
                                   .layout = {.type = result.type,
                                              .byte_order = ByteOrder::kNative,
                                              .order = result.order,
                                              .shape = result.shape},
                                   .bytes_owner = nullptr,
                                   .bytes = {}});
  }
  return declaration;
}

absl::StatusOr<Explanation> Cluster::Explain(
    absl::string_view operation, const Submission& submission) const {
  HEARTH_ASSIGN_OR_RETURN(const Operation* found, FindOperation(operation));
  const MatrixArgumentSource source =
      submission.source.value_or(MatrixArgumentSource{submission.matrix});
  HEARTH_ASSIGN_OR_RETURN(const Matrix matrix, Open(source));
  HEARTH_ASSIGN_OR_RETURN(
      const client::OpenedArguments opened,
      client::OpenArguments(*this, *found, submission.arguments));
  const MatrixLayout& layout = matrix.layout();
  HEARTH_RETURN_IF_ERROR(found->Prepare(layout, opened.arguments).status());

  HEARTH_ASSIGN_OR_RETURN(const auto workers, Workers());
  std::map<std::string, std::pair<int, int>> hosts;  // workers, threads
  for (const WorkerInfo& worker : workers) {
    if (worker.state != "ready") continue;
    auto& [count, threads] = hosts[worker.host];
    if (submission.workers_max > 0 && count >= submission.workers_max) continue;
    ++count;
    threads += worker.thread_count;
  }
  Explanation plan;
  plan.row_blocks = Partition(layout).block_count();
  const double rate = ReadRate(matrix.bytes());
  for (const auto& [host, counts] : hosts) {
    // One host: it holds every byte, and maps them all.
    plan.hosts.push_back(
        {.host = host,
         .workers = counts.first,
         .source = matrix.file().empty() ? "memory" : matrix.file(),
         .bytes_mapped = layout.bytes(),
         .bytes_converted =
             layout.byte_order == ByteOrder::kForeign ? layout.bytes() : 0,
         .seconds_expected = static_cast<double>(layout.bytes()) / rate /
                             std::max(counts.second, 1)});
  }
  return plan;
}

}  // namespace hearth
