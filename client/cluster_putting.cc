// Matrices into a cluster: made there, or put from files and memory.
#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "client/attempt.h"
#include "client/cluster_state.h"
#include "client/hearth.h"
#include "client/mapped_bytes.h"
#include "client/matrix_info.h"
#include "client/resolve.h"
#include "hearth/base/crash_point.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/missing_hosts.h"
#include "hearth/base/status.h"
#include "hearth/matrix/reference.h"
#include "hearth/shm/file_sample.h"
#include "hearth/shm/fill.h"
#include "hearth/shm/page_size.h"
#include "hearth/transport/control/codec.h"

namespace hearth {
namespace {

using client::MatrixFile;
using client::MatrixInfoOf;

constexpr std::int64_t kSmallPageBytes = 4096;

SegmentCard CardOf(SegmentKind kind, std::int64_t bytes) {
  return {.kind = kind, .bytes = static_cast<std::uint64_t>(bytes)};
}

// The file's payload in a fresh sealed segment, which the keeper holds by
// `token`. It gets it before the copy, so that a matrix it has no room for
// costs no time and no memory.
absl::StatusOr<SealedSegment> CopyToMemory(const MatrixFile& file,
                                           HandoverClient& keeper,
                                           const Id& token) {
  const MemoryLimits limits;
  const std::int64_t bytes = file.layout.bytes();
  HEARTH_ASSIGN_OR_RETURN(OpenSegment open, OpenSegment::Create(bytes, limits));
  HEARTH_RETURN_IF_ERROR(
      keeper.Deposit(token, open.fd(), CardOf(SegmentKind::kOpen, bytes)));
  absl::Cleanup drop = [&] { keeper.Drop(token).IgnoreError(); };
  CrashPoint("client.create");
  HEARTH_RETURN_IF_ERROR(CopyFileIntoSegment(
      open, 0, file.source, file.payload_offset, bytes, limits));
  HEARTH_RETURN_IF_ERROR(file.source.Verify());
  CrashPoint("client.fill");
  HEARTH_ASSIGN_OR_RETURN(SealedSegment sealed, open.Seal());
  CrashPoint("client.seal");
  HEARTH_RETURN_IF_ERROR(
      keeper.Replace(token, sealed.fd(), CardOf(SegmentKind::kSealed, bytes)));
  std::move(drop).Cancel();
  return sealed;
}

// Names a segment that the host's keeper holds by `token`.
absl::StatusOr<MatrixInfo> Register(ClusterState& state, absl::string_view name,
                                    const MatrixLayout& layout,
                                    std::span<const std::byte> bytes,
                                    const std::string& host, const Id& token,
                                    const Cluster::PutOptions& options) {
  CrashPoint("client.handover");
  proto::PutMatrixRequest request;
  proto::MatrixRecord& record = *request.mutable_record();
  record.set_name(std::string(name));
  *record.mutable_layout() = ToProto(layout);
  *record.mutable_segment()->mutable_token() = ToProto(token);
  proto::Replica& replica = *record.mutable_segment()->add_replicas();
  *replica.mutable_token() = ToProto(token);
  replica.set_host(host);
  record.set_page_bytes(bytes.empty() ? kSmallPageBytes : PageBytesOf(bytes));
  record.set_sealed(true);
  request.set_replace(options.replace);
  request.set_replicas(options.replicas);
  const auto info = state.coordinator().Put(request);
  CrashPoint("client.register");
  if (!info.ok()) {
    state.KeeperOf(host).Drop(token).IgnoreError();
    return info.status();
  }
  return MatrixInfoOf(*info);
}

// A job's result as a matrix of the catalog, where it lies. A small one came in
// a message: it gets a segment here.
absl::StatusOr<MatrixInfo> NameResult(ClusterState& state,
                                      absl::string_view name,
                                      const MatrixLayout& layout,
                                      const proto::ResultArray& result,
                                      int replicas) {
  if (!result.has_segment()) {
    const std::string& bytes = result.inline_bytes();
    HEARTH_ASSIGN_OR_RETURN(
        const SealedSegment segment,
        SealedSegment::CopyOf(std::as_bytes(std::span(bytes)), MemoryLimits()));
    HEARTH_ASSIGN_OR_RETURN(const std::string host, state.LocalHost());
    const Id token = Id::Random();
    HEARTH_RETURN_IF_ERROR(state.KeeperOf(host).Deposit(
        token, segment.fd(), CardOf(SegmentKind::kSealed, layout.bytes())));
    return Register(state, name, layout, segment.bytes(), host, token,
                    {.replicas = replicas});
  }
  // Of another host's pages only their owner could tell the size.
  std::span<const std::byte> here;
  const auto mapped = state.MapHere(layout, result.segment());
  if (mapped.ok()) here = (*mapped)->bytes();
  if (result.segment().replicas().empty()) {
    return Error(Reason::kInternal, "name a result: it lies on no host");
  }
  return Register(state, name, layout, here,
                  result.segment().replicas(0).host(),
                  FromProto(result.segment().token()), {.replicas = replicas});
}

// By the workers of one host, as a job, and where it lies then.
absl::StatusOr<MatrixInfo> MakeWhole(ClusterState& state,
                                     absl::string_view name,
                                     const MatrixLayout& layout,
                                     std::uint64_t seed, int replicas) {
  proto::SubmitRequest request;
  request.set_client_key(Id::Random().ToString());
  request.set_operation("make");
  (*request.mutable_arguments())["seed"] = absl::StrCat(seed);
  *request.mutable_record()->mutable_layout() = ToProto(layout);
  request.mutable_record()->mutable_unmade();
  HEARTH_ASSIGN_OR_RETURN(std::string id, state.coordinator().Submit(request));
  HEARTH_ASSIGN_OR_RETURN(
      const proto::JobUpdate last,
      state.coordinator().Watch(id, [](const proto::JobUpdate&) {}));
  HEARTH_RETURN_IF_ERROR(FromProto(last.failure()));
  // Named before the job lets go of it, so that somebody holds it throughout.
  auto info = NameResult(state, name, layout, last.results(0), replicas);
  HEARTH_RETURN_IF_ERROR(state.coordinator().Forget(id));
  return info;
}

absl::StatusOr<MatrixInfo> PutWhole(ClusterState& state, absl::string_view name,
                                    const MatrixFile& file,
                                    const Cluster::PutOptions& options) {
  HEARTH_ASSIGN_OR_RETURN(const std::string host, state.LocalHost());
  const Id token = Id::Random();
  HEARTH_ASSIGN_OR_RETURN(const SealedSegment sealed,
                          CopyToMemory(file, state.KeeperOf(host), token));
  return Register(state, name, file.layout, sealed.bytes(), host, token,
                  options);
}

// A matrix that the cluster makes of `origin` where it has room, in pieces if
// it must.
absl::StatusOr<MatrixInfo> PutOrigin(ClusterState& state,
                                     absl::string_view name,
                                     const MatrixLayout& layout,
                                     proto::Origin origin,
                                     const Cluster::PutOptions& options) {
  proto::PutMatrixRequest request;
  proto::MatrixRecord& record = *request.mutable_record();
  record.set_name(std::string(name));
  *record.mutable_layout() = ToProto(layout);
  record.mutable_unmade();
  record.set_page_bytes(kSmallPageBytes);
  record.set_sealed(true);
  request.set_replace(options.replace);
  request.set_replicas(options.replicas);
  *request.mutable_origin() = std::move(origin);
  *request.mutable_origin()->mutable_token() = ToProto(Id::Random());
  HEARTH_ASSIGN_OR_RETURN(const auto info, state.coordinator().Put(request));
  return MatrixInfoOf(info);
}

// Workers read the file where they see it; for those that don't, the keeper of
// this host has its descriptor until all is there.
absl::StatusOr<MatrixInfo> PutSpread(ClusterState& state,
                                     absl::string_view name,
                                     const MatrixFile& file,
                                     const Cluster::PutOptions& options) {
  HEARTH_ASSIGN_OR_RETURN(const std::string host, state.LocalHost());
  HandoverClient& keeper = state.KeeperOf(host);
  const Id token = Id::Random();
  proto::Origin origin;
  *origin.mutable_file() = client::RecordOf(file).file();
  proto::FileSource published = origin.file();
  published.clear_path();
  published.clear_sample_checksums();  // a card is small, and this host ours
  HEARTH_RETURN_IF_ERROR(
      keeper.Deposit(token, file.source.fd(),
                     {.kind = SegmentKind::kFile,
                      .bytes = static_cast<std::uint64_t>(file.layout.bytes()),
                      .offset = static_cast<std::uint64_t>(file.payload_offset),
                      .note = published.SerializeAsString()}));
  absl::Cleanup drop = [&] { keeper.Drop(token).IgnoreError(); };
  *origin.mutable_holder()->mutable_token() = ToProto(token);
  origin.mutable_holder()->set_host(host);
  return PutOrigin(state, name, file.layout, std::move(origin), options);
}

}  // namespace

absl::StatusOr<MatrixInfo> Cluster::Put(absl::string_view name,
                                        const MatrixArgumentSource& file,
                                        PutOptions options) const {
  HEARTH_RETURN_IF_ERROR(CheckMatrixName(name));
  HEARTH_ASSIGN_OR_RETURN(auto resolved, client::Resolve(file));
  const auto* opened = std::get_if<MatrixFile>(&resolved);
  if (opened == nullptr) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("put \"", name, "\": \"", file.text,
                              "\" is a name, not a file; write ./", file.text,
                              " for a file called so"));
  }
  return PutFile(name, *opened, options);
}

absl::StatusOr<MatrixInfo> Cluster::PutFile(absl::string_view name,
                                            const MatrixFile& file,
                                            const PutOptions& options) const {
  if (options.replicas > 1 && !options.copy) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("put \"", name, "\" with ", options.replicas,
                              " replicas: a file is read where it lies; "
                              "replicas are of bytes in memory, so say --copy, "
                              "too"));
  }
  if (options.copy) {
    if (!options.replace) HEARTH_RETURN_IF_ERROR(CheckFree("put", name));
    HEARTH_RETURN_IF_ERROR(CheckHosts("put", name, options.replicas));
    auto put = PutWhole(*state_, name, file, options);
    if (IsWorthSpreading(put.status())) {
      put = PutSpread(*state_, name, file, options);
    }
    if (put.ok()) return put;
    return client::ToldAs(absl::StrCat("put \"", name, "\""), put.status());
  }
  proto::PutMatrixRequest request;
  *request.mutable_record() = client::RecordOf(file);
  request.mutable_record()->set_name(std::string(name));
  request.set_replace(options.replace);
  HEARTH_ASSIGN_OR_RETURN(const auto info, state_->coordinator().Put(request));
  return MatrixInfoOf(info);
}

absl::StatusOr<MatrixInfo> Cluster::Put(absl::string_view name,
                                        const Matrix& matrix,
                                        PutOptions options) const {
  HEARTH_RETURN_IF_ERROR(CheckMatrixName(name));
  const MappedBytes& bytes = *matrix.bytes_;
  const SealedSegment* segment = bytes.segment();
  if (segment == nullptr) {
    const MappedBytes::File* file = bytes.file();
    if (file == nullptr) {
      return Error(Reason::kInternal, "put a matrix without a source");
    }
    HEARTH_ASSIGN_OR_RETURN(
        FileSource source,
        FileSource::Adopt(
            UniqueFd(fcntl(file->source.fd(), F_DUPFD_CLOEXEC, 0)),
            file->source.path()));
    return PutFile(
        name,
        {std::move(source), bytes.layout(), file->payload_offset, file->member},
        options);
  }
  HEARTH_ASSIGN_OR_RETURN(const std::string host, state_->LocalHost());
  const Id token = Id::Random();
  HandoverClient& keeper = state_->KeeperOf(host);
  const absl::Status held =
      keeper.Deposit(token, segment->fd(),
                     CardOf(SegmentKind::kSealed, bytes.layout().bytes()));
  HEARTH_RETURN_IF_ERROR(
      client::ToldAs(absl::StrCat("put \"", name, "\""), held));
  return Register(*state_, name, bytes.layout(), segment->bytes(), host, token,
                  options);
}

absl::StatusOr<MatrixInfo> Cluster::Make(absl::string_view name,
                                         const MatrixLayout& layout,
                                         std::uint64_t seed,
                                         int replicas) const {
  HEARTH_RETURN_IF_ERROR(CheckMatrixName(name));
  HEARTH_RETURN_IF_ERROR(CheckFree("make", name));
  HEARTH_RETURN_IF_ERROR(CheckHosts("make", name, replicas));
  const std::string attempt = absl::StrCat("make \"", name, "\"");
  const auto whole = MakeWhole(*state_, name, layout, seed, replicas);
  if (whole.ok()) return whole;
  if (!IsWorthSpreading(whole.status())) {
    return client::ToldAs(attempt, whole.status());
  }
  proto::Origin origin;
  origin.mutable_random()->set_seed(seed);
  origin.mutable_random()->set_element_type(
      static_cast<std::uint32_t>(layout.type));
  const auto spread = PutOrigin(*state_, name, layout, std::move(origin),
                                {.replicas = replicas});
  if (spread.ok()) return spread;
  return client::ToldAs(attempt, spread.status());
}

// No host had room, but there are several.
bool Cluster::IsWorthSpreading(const absl::Status& whole) const {
  return ReasonOf(whole) == Reason::kOutOfMemory &&
         state_->HostsNow().size() > 1;
}

// Before the work, not after it; the coordinator looks again.
absl::Status Cluster::CheckHosts(absl::string_view attempt,
                                 absl::string_view name, int replicas) const {
  const auto enough = [&](const std::vector<std::string>& hosts) {
    return std::ssize(hosts) >= replicas;
  };
  if (enough(state_->Hosts())) return absl::OkStatus();
  std::vector<std::string> hosts = state_->HostsNow();
  // A cluster that has just been started gets the workers that a job waits for.
  if (hosts.empty()) hosts = state_->HostsOnceReady();
  if (enough(hosts)) return absl::OkStatus();
  return Error(
      Reason::kOutOfMemory,
      absl::StrCat(attempt, " \"", name, "\": ",
                   MissingHosts(replicas, static_cast<int>(hosts.size()))));
}

// Before the work, not after it.
absl::Status Cluster::CheckFree(absl::string_view attempt,
                                absl::string_view name) const {
  if (!Info(name).ok()) return absl::OkStatus();
  return Error(
      Reason::kNameTaken,
      absl::StrCat(attempt, " \"", name,
                   "\": a matrix of that name exists; choose another name, or ",
                   attempt == "put" ? "say --replace" : "remove it first"));
}

}  // namespace hearth
