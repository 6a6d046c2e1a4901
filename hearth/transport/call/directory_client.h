#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/base/mutex.h"
#include "hearth/object/value.h"
#include "protos/coordinator.pb.h"
#include "protos/directory.pb.h"

namespace grpc {
class Channel;
}

namespace hearth {

// How a process gets a channel to an address: its shell knows the credentials.
using ConnectFunction =
    std::function<absl::StatusOr<std::shared_ptr<grpc::Channel>>(
        const std::string& address, absl::Duration within)>;

// Calls to the directory of names, asked again on a new connection for a while
// when the old one broke: all of them may be repeated.
//
// Kind:    resource. Threads: any.
// Fails:   cluster-ended when no coordinator was there again in time.
class DirectoryClient {
 public:
  DirectoryClient(ConnectFunction connect, std::string address);
  ~DirectoryClient();

  absl::StatusOr<proto::RenewReply> Renew(const proto::HostRecord& record);
  // Asked once: who ends does not wait for a coordinator that may have, too.
  absl::Status EndHost(const proto::HostRecord& record);
  absl::Status Bind(const proto::BindRequest& request);
  // Only if that host has it.
  absl::StatusOr<proto::NameList> Unbind(const std::string& name,
                                         const proto::Token& host);
  absl::StatusOr<proto::NameList> Find(const proto::NameQuery& query);
  absl::StatusOr<proto::HostList> FindHosts(const std::string& class_name);

  // NAME_UNKNOWN if nothing has it.
  absl::StatusOr<ObjectHandle> FindHandle(const std::string& name);

  // Where a matrix lies, from the same coordinator. NAME_UNKNOWN.
  absl::StatusOr<proto::MatrixInfo> FindMatrix(const std::string& name);

  // Calls `on_change` from a thread of its own with what there is and what
  // comes, until the result is let go of. A connection that broke is made anew,
  // and then all there is comes again.
  class Watch;
  std::shared_ptr<Watch> WatchNames(
      proto::NameQuery query,
      std::function<void(const proto::NameChange&)> on_change);

 private:
  static constexpr absl::Duration kPatience = absl::Seconds(10);
  struct Line;
  template <class Request, class Reply, class Method>
  absl::StatusOr<Reply> Call(Method method, const Request& request,
                             absl::Duration patience = kPatience);
  absl::StatusOr<std::shared_ptr<Line>> OpenLine(
      const std::shared_ptr<Line>& broken) ABSL_LOCKS_EXCLUDED(mutex_);

  const ConnectFunction connect_;
  const std::string address_;
  Mutex mutex_;
  std::shared_ptr<Line> line_ ABSL_GUARDED_BY(mutex_);
};

ObjectHandle HandleOf(const proto::NameRecord& record);

}  // namespace hearth
