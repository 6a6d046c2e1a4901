#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/matrix/layout.h"
#include "hearth/transport/security/tcp_security.h"
#include "protos/coordinator.pb.h"

namespace hearth::client {

class CoordinatorLine;

// A client's calls to its coordinator, as functions: the one place of the
// client that speaks gRPC.
//
// Kind:    resource. Threads: any.
// Fails:   with the reason that the coordinator gave; cluster-ended when the
//          connection broke and no coordinator was there again in time. Until
//          then every call is asked again: none is done twice.
class CoordinatorClient {
 public:
  static absl::StatusOr<std::unique_ptr<CoordinatorClient>> Connect(
      const std::string& address, const TcpSecurityOptions& security);
  ~CoordinatorClient();

  absl::StatusOr<proto::ClusterInfo> WaitReady(int workers,
                                               absl::Duration deadline);
  absl::StatusOr<proto::MatrixInfo> Put(const proto::PutMatrixRequest& request);
  absl::StatusOr<proto::MatrixInfo> Get(const std::string& name);
  // The same in a second or two, or not at all: for who can go on without.
  absl::StatusOr<proto::MatrixInfo> GetSoon(const std::string& name);
  absl::StatusOr<proto::MatrixList> List();
  absl::Status Remove(const std::string& name);
  absl::StatusOr<std::string> Submit(const proto::SubmitRequest& request);
  // Blocks until the job has ended; `on_update` sees every update before the
  // last, which is returned.
  absl::StatusOr<proto::JobUpdate> Watch(
      const std::string& job,
      const std::function<void(const proto::JobUpdate&)>& on_update);
  absl::Status Cancel(const std::string& job);
  absl::Status Forget(const std::string& job);
  absl::StatusOr<proto::JobList> Jobs();
  absl::StatusOr<proto::WorkerList> Workers(bool memory);
  absl::StatusOr<proto::Rates> Measured(
      const std::string& operation,
      const std::map<std::string, std::string>& arguments,
      const MatrixLayout& layout, const std::string& matrix);
  absl::StatusOr<proto::DrainReply> Drain(const std::string& worker);

 private:
  explicit CoordinatorClient(std::unique_ptr<CoordinatorLine> line);
  std::unique_ptr<CoordinatorLine> line_;
};

}  // namespace hearth::client
