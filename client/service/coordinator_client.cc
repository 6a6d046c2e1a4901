#include "client/service/coordinator_client.h"

#include <grpcpp/client_context.h>

#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/service/coordinator_line.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/control/codec.h"

namespace hearth::client {
namespace {

constexpr absl::Duration kCallTime = absl::Seconds(30);
constexpr absl::Duration kSoon = absl::Seconds(1);
constexpr absl::Duration kLongCallTime = absl::Hours(24);

absl::Status StatusOf(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
      status.error_details().empty()) {
    return Error(Reason::kClusterEnded,
                 absl::StrCat("ask the coordinator: the connection broke (",
                              status.error_message(),
                              "); the cluster has ended or is out of reach"));
  }
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
      status.error_details().empty()) {
    return Error(Reason::kClusterUnreachable,
                 "ask the coordinator: it takes connections but did not answer "
                 "in time; see whether its process is stopped or its machine "
                 "overloaded, and try again");
  }
  return FromGrpc(status);
}

// The same bytes under the same name; of what a cluster has made in one piece,
// nobody can tell.
bool IsSame(const proto::MatrixRecord& a, const proto::PutMatrixRequest& put) {
  const proto::MatrixRecord& b = put.record();
  if (put.has_origin()) {
    return a.has_spread() &&
           FromProto(a.spread().token()) == FromProto(put.origin().token());
  }
  if (a.has_file() && b.has_file()) {
    return a.file().SerializeAsString() == b.file().SerializeAsString();
  }
  return a.has_segment() && b.has_segment() &&
         FromProto(a.segment().token()) == FromProto(b.segment().token());
}

// True when the connection is what failed: the call may or may not have been
// heard.
bool IsBroken(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         status.error_details().empty();
}

// One unary call, asked again on a new connection when the old one broke:
// `method` is the stub's. `asked_again`: an earlier one may have been heard.
template <class Request, class Reply>
absl::StatusOr<Reply> Call(
    CoordinatorLine& line,
    grpc::Status (CoordinatorLine::Stub::*method)(grpc::ClientContext*,
                                                  const Request&, Reply*),
    const Request& request, absl::Duration deadline = kCallTime,
    bool* asked_again = nullptr,
    absl::Duration patience_max = absl::InfiniteDuration()) {
  std::optional<absl::Time> give_up;
  while (true) {
    const auto stub = line.stub();
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         absl::ToChronoMilliseconds(deadline));
    Reply reply;
    const grpc::Status status = ((*stub).*method)(&context, request, &reply);
    if (status.ok()) return reply;
    if (!IsBroken(status)) return StatusOf(status);
    if (!give_up.has_value()) {
      give_up = absl::Now() + std::min(line.patience(), patience_max);
    }
    HEARTH_RETURN_IF_ERROR(line.Reopen(stub, *give_up, StatusOf(status)));
    if (asked_again != nullptr) *asked_again = true;
  }
}

}  // namespace

using Stub = CoordinatorLine::Stub;

CoordinatorClient::CoordinatorClient(std::unique_ptr<CoordinatorLine> line)
    : line_(std::move(line)) {}
CoordinatorClient::~CoordinatorClient() = default;

absl::StatusOr<std::unique_ptr<CoordinatorClient>> CoordinatorClient::Connect(
    const std::string& address, const TcpSecurityOptions& security) {
  HEARTH_ASSIGN_OR_RETURN(auto line, CoordinatorLine::Open(address, security));
  return std::unique_ptr<CoordinatorClient>(
      new CoordinatorClient(std::move(line)));
}

absl::StatusOr<proto::ClusterInfo> CoordinatorClient::WaitReady(
    int workers, absl::Duration deadline) {
  proto::WaitReadyRequest request;
  request.set_workers(workers);
  auto info = Call(*line_, &Stub::WaitReady, request, deadline);
  if (info.ok()) line_->NoteDurable(info->durable());
  return info;
}

absl::StatusOr<proto::MatrixInfo> CoordinatorClient::Put(
    const proto::PutMatrixRequest& request) {
  // Copies to other hosts take as long as they take.
  bool asked_again = false;
  auto info =
      Call(*line_, &Stub::PutMatrix, request,
           request.replicas() > 1 || request.has_origin() ? kLongCallTime
                                                          : kCallTime,
           &asked_again);
  if (info.ok() || !asked_again ||
      ReasonOf(info.status()) != Reason::kNameTaken) {
    return info;
  }
  // Perhaps it is there because the first asking was heard.
  auto found = Get(request.record().name());
  const bool is_ours = found.ok() && IsSame(found->record(), request);
  return is_ours ? std::move(found) : std::move(info);
}

absl::StatusOr<proto::MatrixInfo> CoordinatorClient::Get(
    const std::string& name) {
  proto::MatrixName request;
  request.set_name(name);
  return Call(*line_, &Stub::GetMatrix, request);
}

absl::StatusOr<proto::MatrixInfo> CoordinatorClient::GetSoon(
    const std::string& name) {
  proto::MatrixName request;
  request.set_name(name);
  return Call(*line_, &Stub::GetMatrix, request, kSoon, nullptr, kSoon);
}

absl::StatusOr<proto::MatrixList> CoordinatorClient::List() {
  return Call(*line_, &Stub::ListMatrices, proto::ListMatricesRequest());
}

absl::Status CoordinatorClient::Remove(const std::string& name) {
  proto::MatrixName request;
  request.set_name(name);
  bool asked_again = false;
  const absl::Status status =
      Call(*line_, &Stub::RemoveMatrix, request, kCallTime, &asked_again)
          .status();
  const bool is_gone = ReasonOf(status) == Reason::kNameUnknown;
  return asked_again && is_gone ? absl::OkStatus() : status;
}

absl::StatusOr<std::string> CoordinatorClient::Submit(
    const proto::SubmitRequest& request) {
  HEARTH_ASSIGN_OR_RETURN(const proto::JobId job,
                          Call(*line_, &Stub::Submit, request));
  return job.job();
}

absl::StatusOr<proto::JobUpdate> CoordinatorClient::Watch(
    const std::string& job,
    const std::function<void(const proto::JobUpdate&)>& on_update) {
  proto::JobId request;
  request.set_job(job);
  std::optional<absl::Time> give_up;
  while (true) {
    const auto stub = line_->stub();
    grpc::ClientContext context;
    const auto reader = stub->Watch(&context, request);
    std::optional<proto::JobUpdate> last;
    proto::JobUpdate update;
    while (reader->Read(&update)) {
      if (on_update != nullptr) on_update(update);
      last = update;
    }
    const grpc::Status status = reader->Finish();
    if (last.has_value() && last->summary().state() != "running") return *last;
    if (!status.ok() && !IsBroken(status)) {
      if (!give_up.has_value()) return StatusOf(status);
      return Error(
          Reason::kClusterEnded,
          absl::StrCat("watch job ", job,
                       ": the coordinator was started again and does not know "
                       "it any more; run it again (a coordinator with "
                       "--state-dir keeps its jobs)"));
    }
    if (last.has_value() || !give_up.has_value()) {
      give_up = absl::Now() + line_->patience();
    }
    HEARTH_RETURN_IF_ERROR(line_->Reopen(
        stub, *give_up,
        Error(Reason::kClusterEnded,
              absl::StrCat("watch job ", job,
                           ": the coordinator ended before the job did; "
                           "see that the cluster runs, or start it again, and "
                           "run the job again"))));
  }
}

absl::Status CoordinatorClient::Cancel(const std::string& job) {
  proto::JobId request;
  request.set_job(job);
  return Call(*line_, &Stub::CancelJob, request).status();
}

absl::Status CoordinatorClient::Forget(const std::string& job) {
  proto::JobId request;
  request.set_job(job);
  return Call(*line_, &Stub::ForgetJob, request).status();
}

absl::StatusOr<proto::JobList> CoordinatorClient::Jobs() {
  return Call(*line_, &Stub::ListJobs, proto::ListJobsRequest());
}

absl::StatusOr<proto::WorkerList> CoordinatorClient::Workers(bool memory) {
  proto::ListWorkersRequest request;
  request.set_memory(memory);
  return Call(*line_, &Stub::ListWorkers, request);
}

absl::StatusOr<proto::Rates> CoordinatorClient::Measured(
    const std::string& operation,
    const std::map<std::string, std::string>& arguments,
    const MatrixLayout& layout, const std::string& matrix) {
  proto::MeasuredRequest request;
  request.set_operation(operation);
  request.mutable_arguments()->insert(arguments.begin(), arguments.end());
  *request.mutable_layout() = ToProto(layout);
  request.set_matrix(matrix);
  return Call(*line_, &Stub::Measured, request);
}

absl::StatusOr<proto::DrainReply> CoordinatorClient::Drain(
    const std::string& worker) {
  proto::DrainRequest request;
  request.set_worker(worker);
  return Call(*line_, &Stub::DrainWorker, request, kLongCallTime);
}

}  // namespace hearth::client
