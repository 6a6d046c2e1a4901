#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "hearth/transport/call/directory_client.h"

namespace hearth {

// Says in the directory what this process serves, for as long as it does: binds
// names, renews the lease, and binds again what a directory forgot. A name that
// another process took is no longer its.
//
// Kind:    resource; its destructor lets all names leave. Threads: any.
class NameKeeper {
 public:
  // Fails when the directory can't be reached now.
  static absl::StatusOr<std::unique_ptr<NameKeeper>> Start(
      DirectoryClient& directory, proto::HostRecord record);
  ~NameKeeper();

  struct BindOptions {
    std::vector<std::string> tags = {};
    bool replace = false;
  };
  absl::Status Bind(const std::string& name, const std::string& key,
                    const std::string& class_name, const BindOptions& options);
  absl::Status Unbind(const std::string& name);
  // The process listens elsewhere now.
  absl::Status SetAddresses(const std::vector<std::string>& addresses);

 private:
  NameKeeper(DirectoryClient& directory, proto::HostRecord record)
      : directory_(directory), record_(std::move(record)) {}
  absl::Status Renew();
  absl::Status RenewNow();  // holding asking_
  void Run();

  DirectoryClient& directory_;
  // Held while the directory is asked: a renewal binds nothing again that is
  // given up meanwhile. Before mutex_.
  std::mutex asking_;
  std::mutex mutex_;
  std::condition_variable wake_;
  proto::HostRecord record_;
  std::map<std::string, proto::BindRequest> bound_;
  std::chrono::milliseconds every_{2000};
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace hearth
