#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "hearth/base/address.h"
#include "hearth/transport/call/directory_client.h"
#include "hearth/transport/call/object_space.h"
#include "hearth/transport/call/served_process.h"
#include "hearth/transport/security/tcp_security.h"

namespace hearth::client {

// A client's connection to a directory, and its place among objects.
//
// Kind:    resource. Threads: any.
class ObjectsLink {
 public:
  // What leads handles to matrices, by asking that directory where they lie.
  using OpenMatrixVia = std::function<decltype(ObjectSpaceOptions::open_matrix)(
      const std::shared_ptr<DirectoryClient>& directory)>;
  static absl::StatusOr<std::shared_ptr<ObjectsLink>> Connect(
      const std::string& address, const TcpSecurityOptions& security,
      OpenMatrixVia open_matrix);
  ~ObjectsLink();

  DirectoryClient& directory() { return *directory_; }
  const std::shared_ptr<ObjectSpace>& space() { return space_; }
  const std::string& address() const { return address_; }
  const TcpSecurityOptions& security() const { return security_; }

  // Listens as the coordinator does: on TCP where that is reached by it.
  absl::StatusOr<std::unique_ptr<ServedProcess>> Serve(
      const std::string& listen, const std::string& advertise,
      std::vector<std::shared_ptr<const Class>> classes);

 private:
  ObjectsLink() = default;
  std::string address_;
  TcpSecurityOptions security_;
  std::shared_ptr<DirectoryClient> directory_;
  std::shared_ptr<ObjectSpace> space_;
};

}  // namespace hearth::client
