#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cluster_state.h"
#include "client/expectation.h"
#include "client/hearth.h"
#include "client/mapped_bytes.h"
#include "client/resolve.h"
#include "hearth/base/status.h"
#include "hearth/compute/registry.h"
#include "hearth/matrix/partition.h"
#include "hearth/transport/control/codec.h"

namespace hearth {
namespace {

using client::Expectation;
using client::HostMeans;

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
  std::map<std::string, std::int64_t> bytes_at;  // of pieces, by host

  bool IsAt(const std::string& worker) const {
    return !workers.has_value() || workers->contains(worker);
  }
};

// What lies on two hosts is shared by them.
std::map<std::string, std::int64_t> BytesByHost(
    const proto::SpreadSource& spread, const MatrixLayout& layout) {
  const Partition partition(layout);
  std::map<std::string, std::int64_t> bytes;
  for (const proto::Piece& piece : spread.pieces()) {
    const std::int64_t in_all =
        partition.Joined(piece.block_begin(), piece.block_end()).element_count *
        BytesOf(layout.type);
    std::int64_t left = in_all;
    const int count = piece.segment().replicas_size();
    for (int i = 0; i < count; ++i) {
      const std::int64_t share = left / (count - i);
      bytes[piece.segment().replicas(i).host()] += share;
      left -= share;
    }
  }
  return bytes;
}

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
  if (info.record().has_file()) return where;
  where.source = "memory";
  std::set<std::string>& ids = where.workers.emplace();
  for (const proto::Shard& shard : info.shards()) {
    ids.insert(shard.workers().begin(), shard.workers().end());
  }
  HEARTH_ASSIGN_OR_RETURN(const MatrixLayout layout,
                          FromProto(info.record().layout()));
  if (info.record().has_spread()) {
    where.bytes_at = BytesByHost(info.record().spread(), layout);
    return where;
  }
  const auto here = state.MapHere(layout, info.record().segment());
  if (here.ok()) where.bytes_per_second = ReadRate((*here)->bytes());
  return where;
}

// What Explanation calls where a host's bytes come from.
std::string SourceOf(Expectation::Part part, const Whereabouts& where) {
  switch (part) {
    case Expectation::Part::kMaps:
      return where.source;
    case Expectation::Part::kStreams:
      return "streamed";
    case Expectation::Part::kUnknown:
      return "streamed if sooner";
    case Expectation::Part::kNone:
      break;
  }
  return "none";
}

std::string NameOf(const MatrixArgumentSource& source) {
  auto resolved = client::Resolve(source);
  if (!resolved.ok()) return "";
  const auto* name = std::get_if<std::string>(&*resolved);
  return name == nullptr ? "" : *name;
}

// The arguments of a plan that computes nothing: those that are matrices
// without a byte of them.
absl::StatusOr<Arguments> WithoutBytes(
    const Operation& operation, std::map<std::string, std::string> text,
    absl::FunctionRef<absl::StatusOr<MatrixLayout>(const std::string&)>
        layout_of) {
  Arguments arguments{.text = std::move(text), .matrices = {}};
  for (const ParameterSpec& parameter : operation.info().parameters) {
    const auto given = arguments.text.find(parameter.name);
    if (parameter.type != "matrix" || given == arguments.text.end()) continue;
    HEARTH_ASSIGN_OR_RETURN(arguments.matrices[parameter.name].layout,
                            layout_of(given->second));
    arguments.text.erase(given);
  }
  return arguments;
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
  HEARTH_RETURN_IF_ERROR(found->CheckUsage(submission.arguments));
  HEARTH_ASSIGN_OR_RETURN(const MatrixLayout layout,
                          LayoutOf(submission.source.value_or(
                              MatrixArgumentSource{submission.matrix})));
  const auto layout_of = [&](const std::string& text) {
    return LayoutOf({.text = text});
  };
  HEARTH_ASSIGN_OR_RETURN(
      const Arguments arguments,
      WithoutBytes(*found, submission.arguments, layout_of));
  HEARTH_ASSIGN_OR_RETURN(const auto plan, found->Prepare(layout, arguments));
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
  HEARTH_RETURN_IF_ERROR(found->CheckUsage(submission.arguments));
  const MatrixArgumentSource source =
      submission.source.value_or(MatrixArgumentSource{submission.matrix});
  HEARTH_ASSIGN_OR_RETURN(const MatrixLayout layout, LayoutOf(source));
  const auto layout_of = [&](const std::string& text) {
    return LayoutOf({.text = text});
  };
  HEARTH_ASSIGN_OR_RETURN(
      const Arguments arguments,
      WithoutBytes(*found, submission.arguments, layout_of));
  HEARTH_ASSIGN_OR_RETURN(const auto work, found->Prepare(layout, arguments));

  HEARTH_ASSIGN_OR_RETURN(const Whereabouts where, WhereIs(*state_, source));
  HEARTH_ASSIGN_OR_RETURN(const proto::Rates rates,
                          state_->coordinator().Measured(
                              std::string(operation), submission.arguments,
                              layout, NameOf(source)));
  HEARTH_ASSIGN_OR_RETURN(const auto workers, Workers());
  std::map<std::string, HostMeans> by_host;
  for (const WorkerInfo& worker : workers) {
    if (worker.state != "ready") continue;
    HostMeans& host = by_host[worker.host];
    if (submission.workers_max > 0 && host.workers >= submission.workers_max) {
      continue;
    }
    host.host = worker.host;
    ++host.workers;
    host.threads += worker.thread_count;
    host.has_bytes = where.IsAt(worker.id);
    const auto own = where.bytes_at.find(worker.host);
    if (own != where.bytes_at.end()) host.own_bytes = own->second;
    const auto rate = rates.stream_bytes_per_second().find(worker.host);
    if (rate != rates.stream_bytes_per_second().end()) {
      host.stream_bytes_per_second = rate->second;
    }
    const auto landed = rates.landed_bytes().find(worker.host);
    if (landed != rates.landed_bytes().end()) {
      host.landed_bytes = landed->second;
    }
  }
  // Each host that takes part needs all of every parameter.
  for (const auto& [parameter, argument] : arguments.matrices) {
    HEARTH_ASSIGN_OR_RETURN(
        const Whereabouts lies,
        WhereIs(*state_, {.text = submission.arguments.at(parameter)}));
    std::set<std::string> having;
    for (const WorkerInfo& worker : workers) {
      if (lies.bytes_at.empty() && lies.IsAt(worker.id)) {
        having.insert(worker.host);
      }
    }
    for (auto& [name, host] : by_host) {
      if (having.contains(name)) continue;
      const auto own = lies.bytes_at.find(name);
      host.missing_bytes += argument.layout.bytes() -
                            (own == lies.bytes_at.end() ? 0 : own->second);
    }
  }
  std::vector<HostMeans> hosts;
  for (auto& [name, host] : by_host) hosts.push_back(std::move(host));

  Explanation plan;
  plan.row_blocks = Partition(layout).block_count();
  const std::vector<Expectation> expected = client::Expect(
      hosts, {.bytes = layout.bytes(),
              .block_bytes =
                  layout.bytes() / std::max<std::int64_t>(1, plan.row_blocks),
              .needs_whole = work->needs_whole_matrix(),
              .in_pieces = !where.bytes_at.empty(),
              .thread_bytes_per_second = rates.thread_bytes_per_second() > 0
                                             ? rates.thread_bytes_per_second()
                                             : where.bytes_per_second});
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const Expectation& part = expected[i];
    plan.hosts.push_back(
        {.host = hosts[i].host,
         .workers = hosts[i].workers,
         .source = SourceOf(part.part, where),
         .bytes_mapped = part.bytes_mapped,
         .bytes_streamed = part.bytes_streamed,
         .bytes_copied = 0,
         .bytes_converted = layout.byte_order == ByteOrder::kForeign
                                ? part.bytes_mapped + part.bytes_streamed
                                : 0,
         .seconds_expected = part.seconds});
  }
  return plan;
}

}  // namespace hearth
