#include "client/service/coordinator_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <optional>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/control/channel.h"
#include "hearth/transport/control/codec.h"
#include "hearth/transport/security/identity.h"
#include "protos/coordinator.grpc.pb.h"

namespace hearth::client {
namespace {

constexpr absl::Duration kCallTime = absl::Seconds(30);
constexpr absl::Duration kLongCallTime = absl::Hours(24);

absl::Status StatusOf(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
      status.error_details().empty()) {
    return Error(Reason::kClusterEnded,
                 absl::StrCat("ask the coordinator: the connection broke (",
                              status.error_message(),
                              "); the cluster has ended or is out of reach"));
  }
  return FromGrpc(status);
}

// One unary call: `method` is the stub's.
template <class Stub, class Request, class Reply>
absl::StatusOr<Reply> Call(Stub& stub,
                           grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                        const Request&, Reply*),
                           const Request& request,
                           absl::Duration deadline = kCallTime) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoMilliseconds(deadline));
  Reply reply;
  const grpc::Status status = (stub.*method)(&context, request, &reply);
  if (!status.ok()) return StatusOf(status);
  return reply;
}

}  // namespace

struct CoordinatorClient::Parts {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<proto::Coordinator::Stub> stub;
};
using Stub = proto::Coordinator::Stub;

CoordinatorClient::CoordinatorClient() : parts_(std::make_unique<Parts>()) {}
CoordinatorClient::~CoordinatorClient() = default;

absl::StatusOr<std::unique_ptr<CoordinatorClient>> CoordinatorClient::Connect(
    const std::string& address, const TcpSecurityOptions& security) {
  HEARTH_ASSIGN_OR_RETURN(const Address parsed, Address::Parse(address));
  ChannelOptions options;
  if (!parsed.local()) {
    HEARTH_ASSIGN_OR_RETURN(const TcpSecurity tcp, TcpSecurity::Open(security));
    options.tcp = {.credentials = tcp.ForChannel(),
                   .server_name = kClusterName,
                   .explain = [=] { return tcp.Explain(parsed); }};
  }
  std::unique_ptr<CoordinatorClient> client(new CoordinatorClient);
  HEARTH_ASSIGN_OR_RETURN(client->parts_->channel,
                          ConnectChannel(parsed, options));
  client->parts_->stub = proto::Coordinator::NewStub(client->parts_->channel);
  return client;
}

absl::StatusOr<proto::ClusterInfo> CoordinatorClient::WaitReady(
    int workers, absl::Duration deadline) {
  proto::WaitReadyRequest request;
  request.set_workers(workers);
  return Call(*parts_->stub, &Stub::WaitReady, request, deadline);
}

absl::StatusOr<proto::MatrixInfo> CoordinatorClient::Put(
    const proto::PutMatrixRequest& request) {
  // Copies to other hosts take as long as they take; that a broken connection
  // is noticed is the channel's keepalive's business.
  return Call(*parts_->stub, &Stub::PutMatrix, request,
              request.replicas() > 1 ? kLongCallTime : kCallTime);
}

absl::StatusOr<proto::MatrixInfo> CoordinatorClient::Get(
    const std::string& name) {
  proto::MatrixName request;
  request.set_name(name);
  return Call(*parts_->stub, &Stub::GetMatrix, request);
}

absl::StatusOr<proto::MatrixList> CoordinatorClient::List() {
  return Call(*parts_->stub, &Stub::ListMatrices, proto::ListMatricesRequest());
}

absl::Status CoordinatorClient::Remove(const std::string& name) {
  proto::MatrixName request;
  request.set_name(name);
  return Call(*parts_->stub, &Stub::RemoveMatrix, request).status();
}

absl::StatusOr<std::string> CoordinatorClient::Submit(
    const proto::SubmitRequest& request) {
  HEARTH_ASSIGN_OR_RETURN(const proto::JobId job,
                          Call(*parts_->stub, &Stub::Submit, request));
  return job.job();
}

absl::StatusOr<proto::JobUpdate> CoordinatorClient::Watch(
    const std::string& job,
    const std::function<void(const proto::JobUpdate&)>& on_update) {
  grpc::ClientContext context;
  proto::JobId request;
  request.set_job(job);
  const auto reader = parts_->stub->Watch(&context, request);
  std::optional<proto::JobUpdate> last;
  proto::JobUpdate update;
  while (reader->Read(&update)) {
    if (on_update != nullptr) on_update(update);
    last = update;
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return StatusOf(status);
  if (!last.has_value() || last->summary().state() == "running") {
    return Error(Reason::kClusterEnded,
                 absl::StrCat("watch job ", job,
                              ": the coordinator ended before the job did"));
  }
  return *last;
}

absl::Status CoordinatorClient::Cancel(const std::string& job) {
  proto::JobId request;
  request.set_job(job);
  return Call(*parts_->stub, &Stub::CancelJob, request).status();
}

absl::Status CoordinatorClient::Forget(const std::string& job) {
  proto::JobId request;
  request.set_job(job);
  return Call(*parts_->stub, &Stub::ForgetJob, request).status();
}

absl::StatusOr<proto::JobList> CoordinatorClient::Jobs() {
  return Call(*parts_->stub, &Stub::ListJobs, proto::ListJobsRequest());
}

absl::StatusOr<proto::WorkerList> CoordinatorClient::Workers(bool memory) {
  proto::ListWorkersRequest request;
  request.set_memory(memory);
  return Call(*parts_->stub, &Stub::ListWorkers, request);
}

absl::StatusOr<proto::DrainReply> CoordinatorClient::Drain(
    const std::string& worker) {
  proto::DrainRequest request;
  request.set_worker(worker);
  return Call(*parts_->stub, &Stub::DrainWorker, request, kLongCallTime);
}

}  // namespace hearth::client
