#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/arguments.h"
#include "client/cluster_state.h"
#include "client/hearth.h"
#include "client/mapped_bytes.h"
#include "client/resolve.h"
#include "hearth/base/status.h"
#include "hearth/compute/registry.h"
#include "hearth/matrix/partition.h"
#include "hearth/transport/control/codec.h"

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

// One core's, where nothing could be looked at: what a plain machine's does.
constexpr double kUnmeasuredRate = 1e10;

// Where the bytes lie, and how fast a core of this machine reads them.
struct Whereabouts {
  std::string source;
  std::optional<std::set<std::string>> workers;  // none: all, of a file
  double bytes_per_second = kUnmeasuredRate;

  bool IsAt(const std::string& worker) const {
    return !workers.has_value() || workers->contains(worker);
  }
};

absl::StatusOr<Whereabouts> WhereIs(ClusterState& state,
                                    const MatrixArgumentSource& source) {
  HEARTH_ASSIGN_OR_RETURN(auto resolved, client::Resolve(source));
  Whereabouts where;
  const auto* name = std::get_if<std::string>(&resolved);
  if (name == nullptr) {
    HEARTH_ASSIGN_OR_RETURN(
        const Matrix matrix,
        client::MapFile(std::get<client::MatrixFile>(std::move(resolved))));
    return Whereabouts{.source = matrix.file(),
                       .workers = std::nullopt,
                       .bytes_per_second = ReadRate(matrix.bytes())};
  }
  HEARTH_ASSIGN_OR_RETURN(const auto info, state.coordinator().Get(*name));
  where.source = info.record().file().path();
  if (!info.record().has_segment()) return where;
  where.source = "memory";
  std::set<std::string>& ids = where.workers.emplace();
  for (const proto::Shard& shard : info.shards()) {
    ids.insert(shard.workers().begin(), shard.workers().end());
  }
  HEARTH_ASSIGN_OR_RETURN(const MatrixLayout layout,
                          FromProto(info.record().layout()));
  const auto here = state.MapHere(layout, info.record().segment());
  if (here.ok()) where.bytes_per_second = ReadRate((*here)->bytes());
  return where;
}

// A host as Explain adds it up.
struct HostPlan {
  int workers = 0;
  int threads = 0;
  bool has_bytes = false;
};

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
  HEARTH_ASSIGN_OR_RETURN(const MatrixLayout layout, LayoutOf(source));
  HEARTH_ASSIGN_OR_RETURN(
      const client::OpenedArguments opened,
      client::OpenArguments(*this, *found, submission.arguments));
  HEARTH_RETURN_IF_ERROR(found->Prepare(layout, opened.arguments).status());

  HEARTH_ASSIGN_OR_RETURN(const Whereabouts where, WhereIs(*state_, source));
  HEARTH_ASSIGN_OR_RETURN(const auto workers, Workers());
  std::map<std::string, HostPlan> hosts;
  int threads_left = 0;  // of hosts that have the bytes
  for (const WorkerInfo& worker : workers) {
    if (worker.state != "ready") continue;
    HostPlan& host = hosts[worker.host];
    if (submission.workers_max > 0 && host.workers >= submission.workers_max) {
      continue;
    }
    ++host.workers;
    host.threads += worker.thread_count;
    host.has_bytes = where.IsAt(worker.id);
    if (host.has_bytes) threads_left += worker.thread_count;
  }
  Explanation plan;
  plan.row_blocks = Partition(layout).block_count();
  std::int64_t left = layout.bytes();
  for (const auto& [host, counts] : hosts) {
    Explanation::Host& line = plan.hosts.emplace_back();
    line.host = host;
    line.workers = counts.workers;
    // Others get row blocks streamed, once it is measured that this ends
    // sooner.
    line.source = counts.has_bytes ? where.source : "streamed if sooner";
    if (!counts.has_bytes || threads_left == 0) continue;
    // Shared by threads; the last one takes what is left.
    line.bytes_mapped =
        counts.threads == threads_left
            ? left
            : static_cast<std::int64_t>(static_cast<double>(left) *
                                        counts.threads / threads_left);
    left -= line.bytes_mapped;
    threads_left -= counts.threads;
    if (layout.byte_order == ByteOrder::kForeign) {
      line.bytes_converted = line.bytes_mapped;
    }
    line.seconds_expected = static_cast<double>(line.bytes_mapped) /
                            where.bytes_per_second /
                            std::max(counts.threads, 1);
  }
  return plan;
}

}  // namespace hearth
