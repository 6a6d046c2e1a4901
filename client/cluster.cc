#include <algorithm>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "client/cluster_state.h"
#include "client/hearth.h"
#include "client/mapped_bytes.h"
#include "client/resolve.h"
#include "hearth/base/crash_point.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/status.h"
#include "hearth/compute/registry.h"
#include "hearth/matrix/partition.h"
#include "hearth/matrix/reference.h"
#include "hearth/shm/file_sample.h"
#include "hearth/shm/fill.h"
#include "hearth/shm/page_size.h"
#include "hearth/transport/control/codec.h"

namespace hearth {
namespace {

using client::CoordinatorClient;
using client::LocalCluster;
using client::MatrixFile;

constexpr absl::Duration kReadyTime = absl::Seconds(30);
constexpr std::int64_t kSmallPageBytes = 4096;

absl::StatusOr<MatrixInfo> FromMessage(const proto::MatrixInfo& message) {
  const proto::MatrixRecord& record = message.record();
  MatrixInfo info;
  info.name = record.name();
  HEARTH_ASSIGN_OR_RETURN(info.layout, FromProto(record.layout()));
  info.sealed = record.sealed();
  if (record.has_file()) info.file = record.file().path();
  info.in_pieces = record.has_spread();
  info.page_bytes = record.page_bytes();
  info.row_blocks = Partition(info.layout).block_count();
  for (const proto::Shard& shard : message.shards()) {
    info.shards.push_back({shard.row_begin(),
                           shard.row_end(),
                           {shard.workers().begin(), shard.workers().end()}});
  }
  return info;
}

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
  return FromMessage(*info);
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
  return FromMessage(info);
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

absl::StatusOr<Cluster> Cluster::Local(LocalOptions options) {
  const int workers =
      options.workers > 0
          ? options.workers
          : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  HEARTH_ASSIGN_OR_RETURN(auto local,
                          LocalCluster::Start({.workers = workers,
                                               .threads = options.threads,
                                               .binary = options.binary}));
  auto started = [&]() -> absl::StatusOr<std::shared_ptr<ClusterState>> {
    HEARTH_ASSIGN_OR_RETURN(auto coordinator,
                            CoordinatorClient::Connect(local->address(), {}));
    HEARTH_ASSIGN_OR_RETURN(auto info,
                            coordinator->WaitReady(workers, kReadyTime));
    std::string address = local->address();
    return std::make_shared<ClusterState>(std::move(local),
                                          std::move(coordinator),
                                          std::move(info), std::move(address));
  }();
  if (started.ok()) return Cluster(*std::move(started));
  const std::string last_words = local == nullptr ? "" : local->LastWords();
  if (last_words.empty()) return started.status();
  return Error(ReasonOf(started.status()),
               absl::StrCat("start a cluster of ", workers,
                            " workers: it ended with \"", last_words, "\""));
}

absl::StatusOr<Cluster> Cluster::Connect(absl::string_view address,
                                         ConnectOptions options) {
  const TcpSecurityOptions security = {.tls_dir = options.tls_dir,
                                       .insecure = options.insecure};
  HEARTH_ASSIGN_OR_RETURN(
      auto coordinator,
      CoordinatorClient::Connect(std::string(address), security));
  HEARTH_ASSIGN_OR_RETURN(auto info, coordinator->WaitReady(0, kReadyTime));
  return Cluster(std::make_shared<ClusterState>(
      nullptr, std::move(coordinator), std::move(info), std::string(address),
      security));
}

const std::string& Cluster::address() const { return state_->address(); }

// ------------------------------------------------------------------- matrices

absl::StatusOr<MatrixInfo> Cluster::Put(absl::string_view name,
                                        const MatrixArgumentSource& file,
                                        PutOptions options) const {
  HEARTH_RETURN_IF_ERROR(CheckMatrixName(name));
  if (options.replicas > 1 && !options.copy) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("put \"", name, "\" with ", options.replicas,
                              " replicas: a file is read where it lies; "
                              "replicas are of bytes in memory, so say --copy, "
                              "too"));
  }
  HEARTH_ASSIGN_OR_RETURN(auto resolved, client::Resolve(file));
  const auto* opened = std::get_if<MatrixFile>(&resolved);
  if (opened == nullptr) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("put \"", name, "\": \"", file.text,
                              "\" is a name, not a file; write ./", file.text,
                              " for a file called so"));
  }
  if (options.copy) {
    if (!options.replace) HEARTH_RETURN_IF_ERROR(CheckFree(name));
    HEARTH_RETURN_IF_ERROR(CheckHosts(name, options.replicas));
    auto whole = PutWhole(*state_, name, *opened, options);
    if (!IsWorthSpreading(whole.status())) return whole;
    return PutSpread(*state_, name, *opened, options);
  }
  proto::PutMatrixRequest request;
  *request.mutable_record() = client::RecordOf(*opened);
  request.mutable_record()->set_name(std::string(name));
  request.set_replace(options.replace);
  HEARTH_ASSIGN_OR_RETURN(const auto info, state_->coordinator().Put(request));
  return FromMessage(info);
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
    return Put(name, MatrixArgumentSource{.text = file->source.path()},
               options);
  }
  HEARTH_ASSIGN_OR_RETURN(const std::string host, state_->LocalHost());
  const Id token = Id::Random();
  HandoverClient& keeper = state_->KeeperOf(host);
  HEARTH_RETURN_IF_ERROR(
      keeper.Deposit(token, segment->fd(),
                     CardOf(SegmentKind::kSealed, bytes.layout().bytes())));
  return Register(*state_, name, bytes.layout(), segment->bytes(), host, token,
                  options);
}

absl::StatusOr<MatrixInfo> Cluster::Make(absl::string_view name,
                                         const MatrixLayout& layout,
                                         std::uint64_t seed,
                                         int replicas) const {
  HEARTH_RETURN_IF_ERROR(CheckMatrixName(name));
  HEARTH_RETURN_IF_ERROR(CheckFree(name));
  HEARTH_RETURN_IF_ERROR(CheckHosts(name, replicas));
  auto whole = MakeWhole(*state_, name, layout, seed, replicas);
  if (!IsWorthSpreading(whole.status())) return whole;
  proto::Origin origin;
  origin.mutable_random()->set_seed(seed);
  origin.mutable_random()->set_element_type(
      static_cast<std::uint32_t>(layout.type));
  return PutOrigin(*state_, name, layout, std::move(origin),
                   {.replicas = replicas});
}

// No host had room, but there are several.
bool Cluster::IsWorthSpreading(const absl::Status& whole) const {
  return ReasonOf(whole) == Reason::kOutOfMemory &&
         state_->info().hosts_size() > 1;
}

// Before the work, not after it; the coordinator looks again.
absl::Status Cluster::CheckHosts(absl::string_view name, int replicas) const {
  const int ready = state_->info().hosts_size();
  if (ready >= replicas) return absl::OkStatus();
  return Error(
      Reason::kOutOfMemory,
      absl::StrCat("put \"", name, "\": ", replicas, " replicas need ",
                   replicas, " hosts; ", ready, ready == 1 ? " is" : " are",
                   " ready; start workers on more hosts"));
}

// Before the work, not after it.
absl::Status Cluster::CheckFree(absl::string_view name) const {
  if (!Info(name).ok()) return absl::OkStatus();
  return Error(Reason::kNameTaken,
               absl::StrCat("put \"", name,
                            "\": a matrix of that name exists; choose another "
                            "name, or say --replace"));
}

absl::StatusOr<std::vector<MatrixInfo>> Cluster::List() const {
  HEARTH_ASSIGN_OR_RETURN(const auto list, state_->coordinator().List());
  std::vector<MatrixInfo> infos;
  for (const proto::MatrixInfo& message : list.matrices()) {
    HEARTH_ASSIGN_OR_RETURN(infos.emplace_back(), FromMessage(message));
  }
  return infos;
}

absl::StatusOr<MatrixInfo> Cluster::Info(absl::string_view name) const {
  HEARTH_RETURN_IF_ERROR(CheckMatrixName(name));
  HEARTH_ASSIGN_OR_RETURN(const auto info,
                          state_->coordinator().Get(std::string(name)));
  return FromMessage(info);
}

absl::Status Cluster::Remove(absl::string_view name) const {
  HEARTH_RETURN_IF_ERROR(CheckMatrixName(name));
  return state_->coordinator().Remove(std::string(name));
}

// ----------------------------------------------------------------------- jobs

absl::StatusOr<Job> Cluster::Submit(absl::string_view operation,
                                    const Submission& submission) const {
  HEARTH_ASSIGN_OR_RETURN(const Operation* found, FindOperation(operation));
  proto::SubmitRequest request;
  request.set_client_key(Id::Random().ToString());
  request.set_operation(std::string(operation));
  std::map<std::string, std::string> text = submission.arguments;
  for (const ParameterSpec& parameter : found->info().parameters) {
    const auto given = text.find(parameter.name);
    if (parameter.type != "matrix" || given == text.end()) continue;
    HEARTH_ASSIGN_OR_RETURN(const auto matrix,
                            client::Resolve({.text = given->second}));
    proto::MatrixRecord& record = (*request.mutable_matrices())[parameter.name];
    if (const auto* name = std::get_if<std::string>(&matrix)) {
      record.set_name(*name);
    } else {
      record = client::RecordOf(std::get<MatrixFile>(matrix));
    }
    text.erase(given);
  }
  for (const auto& [name, value] : text) {
    (*request.mutable_arguments())[name] = value;
  }
  HEARTH_ASSIGN_OR_RETURN(
      const auto matrix, client::Resolve(submission.source.value_or(
                             MatrixArgumentSource{.text = submission.matrix})));
  if (const auto* name = std::get_if<std::string>(&matrix)) {
    request.set_name(*name);
  } else {
    *request.mutable_record() = client::RecordOf(std::get<MatrixFile>(matrix));
  }
  request.set_workers_max(submission.workers_max);
  request.set_replay_command(submission.replay_command);
  HEARTH_ASSIGN_OR_RETURN(std::string id,
                          state_->coordinator().Submit(request));
  return Job(state_, std::move(id));
}

absl::StatusOr<JobResult> Cluster::Run(absl::string_view operation,
                                       const Submission& submission) const {
  HEARTH_ASSIGN_OR_RETURN(const Job job, Submit(operation, submission));
  return job.Wait();
}

absl::Status Cluster::CancelJob(absl::string_view id) const {
  return state_->coordinator().Cancel(std::string(id));
}

absl::StatusOr<std::vector<JobSummary>> Cluster::Jobs() const {
  HEARTH_ASSIGN_OR_RETURN(const auto list, state_->coordinator().Jobs());
  std::vector<JobSummary> jobs;
  for (const proto::JobSummary& job : list.jobs()) {
    jobs.push_back({job.id(), job.operation(), job.matrix(), job.state(),
                    job.done(), job.total()});
  }
  return jobs;
}

absl::StatusOr<std::int64_t> Cluster::Drain(absl::string_view worker) const {
  HEARTH_ASSIGN_OR_RETURN(const auto reply,
                          state_->coordinator().Drain(std::string(worker)));
  return reply.bytes_moved();
}

absl::StatusOr<std::vector<WorkerInfo>> Cluster::Workers() const {
  HEARTH_ASSIGN_OR_RETURN(const auto list,
                          state_->coordinator().Workers(/*memory=*/true));
  std::vector<WorkerInfo> workers;
  for (const proto::WorkerSummary& worker : list.workers()) {
    workers.push_back({.id = worker.id(),
                       .host = worker.host(),
                       .pid = worker.pid(),
                       .address = worker.address(),
                       .state = worker.state(),
                       .own = worker.memory().own(),
                       .shared = worker.memory().shared(),
                       .proportional = worker.memory().proportional(),
                       .ended = worker.ended(),
                       .thread_count = worker.thread_count()});
  }
  return workers;
}

}  // namespace hearth
