#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hearth/base/address.h"
#include "hearth/object/proxy.h"
#include "hearth/transport/call/directory_client.h"
#include "hearth/transport/call/name_keeper.h"
#include "hearth/transport/call/object_space.h"

namespace hearth {

struct ServedProcessOptions {
  // On this machine always by a Unix socket; from others here, if given.
  std::optional<Address> listen = std::nullopt;
  std::string advertise = {};  // host, or host:port; empty: as it listens
  std::shared_ptr<grpc::ServerCredentials> credentials = nullptr;
  bool is_tcp_plain = false;  // those are none
  std::string machine = {};   // its keeper's handover address
  // Classes of which others may create objects here.
  std::vector<std::shared_ptr<const Class>> classes = {};
};

// A process whose objects others find by name: it listens, and the directory
// knows.
//
// Kind:    resource. Ends before `space` and `directory`. Threads: any.
class ServedProcess {
 public:
  static absl::StatusOr<std::unique_ptr<ServedProcess>> Start(
      std::shared_ptr<ObjectSpace> space, DirectoryClient& directory,
      ServedProcessOptions options);

  using NameOptions = NameKeeper::BindOptions;
  // Serves an object, or a class that makes its instances, by that name.
  absl::StatusOr<Proxy> Serve(const std::string& name, Instance instance,
                              const NameOptions& options);
  absl::Status Unserve(const std::string& name);
  // What a client asks for: an object of a class that was given at the start.
  absl::StatusOr<ObjectHandle> Create(const std::string& class_name,
                                      std::vector<Value> arguments,
                                      const std::string& name,
                                      const std::vector<std::string>& tags,
                                      bool replace);
  // Closes the door and opens another one: the objects stay.
  absl::Status ListenElsewhere();

 private:
  ServedProcess() = default;
  absl::Status Listen();
  // Here and in the directory, or neither.
  absl::Status ServeAs(const std::string& name, Instance instance,
                       const NameOptions& options);

  std::shared_ptr<ObjectSpace> space_;
  ServedProcessOptions options_;
  std::unique_ptr<NameKeeper> names_;
  std::vector<std::string> addresses_;
};

// The object by which others create and remove objects here: its key.
inline constexpr char kFactoryKey[] = "$factory";

}  // namespace hearth
