#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cluster_state.h"
#include "client/hearth.h"
#include "client/matrix_info.h"
#include "client/resolve.h"
#include "hearth/base/error.h"
#include "hearth/base/log.h"
#include "hearth/base/status.h"
#include "hearth/compute/registry.h"
#include "hearth/matrix/reference.h"
#include "hearth/transport/control/codec.h"

namespace hearth {
namespace {

using client::CoordinatorClient;
using client::LocalCluster;
using client::MatrixFile;

constexpr absl::Duration kReadyTime = absl::Seconds(30);

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
    Log(absl::StrCat("a cluster of its own: ", workers, " workers at ",
                     address));
    return std::make_shared<ClusterState>(
        std::move(local), std::move(coordinator), info, std::move(address));
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
  Log(absl::StrCat("connected to ", address));
  return Cluster(std::make_shared<ClusterState>(
      nullptr, std::move(coordinator), info, std::string(address), security));
}

const std::string& Cluster::address() const { return state_->address(); }

// ------------------------------------------------------------------- matrices

absl::StatusOr<std::vector<MatrixInfo>> Cluster::List() const {
  HEARTH_ASSIGN_OR_RETURN(const auto list, state_->coordinator().List());
  std::vector<MatrixInfo> infos;
  for (const proto::MatrixInfo& message : list.matrices()) {
    HEARTH_ASSIGN_OR_RETURN(infos.emplace_back(),
                            client::MatrixInfoOf(message));
  }
  return infos;
}

absl::StatusOr<MatrixInfo> Cluster::Info(absl::string_view name) const {
  HEARTH_RETURN_IF_ERROR(CheckMatrixName(name));
  HEARTH_ASSIGN_OR_RETURN(const auto info,
                          state_->coordinator().Get(std::string(name)));
  return client::MatrixInfoOf(info);
}

absl::Status Cluster::Remove(absl::string_view name) const {
  HEARTH_RETURN_IF_ERROR(CheckMatrixName(name));
  return state_->coordinator().Remove(std::string(name));
}

// ----------------------------------------------------------------------- jobs

absl::StatusOr<Job> Cluster::Submit(absl::string_view operation,
                                    const Submission& submission) const {
  HEARTH_ASSIGN_OR_RETURN(const Operation* found, FindOperation(operation));
  HEARTH_RETURN_IF_ERROR(found->CheckUsage(submission.arguments));
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
  Log(absl::StrCat("submitted ", operation, " as ", id));
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
