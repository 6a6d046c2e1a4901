#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/base/address.h"
#include "hearth/base/mutex.h"
#include "hearth/transport/security/tcp_security.h"
#include "protos/coordinator.grpc.pb.h"

namespace hearth::client {

// The connection to a coordinator, made anew when it broke: for as long as the
// coordinator is worth waiting for.
//
// Kind:    resource. Threads: any.
class CoordinatorLine {
 public:
  using Stub = proto::Coordinator::Stub;

  static absl::StatusOr<std::unique_ptr<CoordinatorLine>> Open(
      const std::string& address, const TcpSecurityOptions& security);

  // Whether this coordinator has a journal, as it said itself.
  void NoteDurable(bool is_durable);
  // How long one that broke off is waited for.
  absl::Duration patience() const;

  std::shared_ptr<Stub> stub();
  // After a call through `broken` found the connection gone: tries until
  // `deadline` to have another one. Fails: with `why` when there is none.
  absl::Status Reopen(const std::shared_ptr<Stub>& broken, absl::Time deadline,
                      const absl::Status& why);

 private:
  CoordinatorLine(Address address, TcpSecurityOptions security);
  absl::StatusOr<std::shared_ptr<Stub>> Connect(absl::Duration deadline) const;

  const Address address_;
  const TcpSecurityOptions security_;
  mutable Mutex mutex_;
  std::shared_ptr<Stub> stub_ ABSL_GUARDED_BY(mutex_);
  bool is_durable_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hearth::client
