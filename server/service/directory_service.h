#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/mutex.h"
#include "protos/directory.grpc.pb.h"
#include "server/core/directory_core.h"
#include "server/journal/journal.h"
#include "server/service/name_watch.h"

namespace hearth::server {

// DirectoryCore on the wire: translates, locks, asks the core, and carries out
// what it decided.
//
// Kind:    resource; outlives the gRPC server that serves it.
// Threads: gRPC's call in from many; Tick from one of the owner's.
class DirectoryService final : public proto::Directory::CallbackService {
 public:
  DirectoryService(DirectoryOptions options, const Clock& clock)
      : clock_(clock), core_(options) {}

  // Goes on where the rows say that an earlier one was, and keeps what comes in
  // the journal. Before anybody is served.
  absl::Status Resume(std::unique_ptr<Journal> journal);
  void Tick();

  grpc::ServerUnaryReactor* RenewHost(grpc::CallbackServerContext* context,
                                      const proto::HostRecord* request,
                                      proto::RenewReply* reply) override;
  grpc::ServerUnaryReactor* EndHost(grpc::CallbackServerContext* context,
                                    const proto::HostRecord* request,
                                    proto::RenewReply* reply) override;
  grpc::ServerUnaryReactor* BindName(grpc::CallbackServerContext* context,
                                     const proto::BindRequest* request,
                                     proto::NameRecord* reply) override;
  grpc::ServerUnaryReactor* UnbindName(grpc::CallbackServerContext* context,
                                       const proto::NameQuery* request,
                                       proto::NameList* reply) override;
  grpc::ServerUnaryReactor* FindNames(grpc::CallbackServerContext* context,
                                      const proto::NameQuery* request,
                                      proto::NameList* reply) override;
  grpc::ServerWriteReactor<proto::NameChange>* WatchNames(
      grpc::CallbackServerContext* context,
      const proto::NameQuery* request) override;
  grpc::ServerUnaryReactor* FindHosts(grpc::CallbackServerContext* context,
                                      const proto::HostQuery* request,
                                      proto::HostList* reply) override;

 private:
  struct Watcher {
    ObjectQuery query;
    std::shared_ptr<NameWatch> watch;
  };
  // What is left to do once the lock is released.
  using Pumps = std::vector<std::shared_ptr<NameWatch>>;

  // The answer to a NameBound is returned.
  absl::Status Ask(const DirectoryEvent& event, Pumps& pumps)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Show(const ObjectRecord& record, bool left, Pumps& pumps)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  proto::NameRecord ToMessage(const ObjectRecord& record) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  DirectoryCore core_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Journal> journal_ ABSL_GUARDED_BY(mutex_);
  std::vector<Watcher> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hearth::server
