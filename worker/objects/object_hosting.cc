#include "worker/objects/object_hosting.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/status.h"
#include "hearth/object/plugin.h"
#include "hearth/transport/call/connector.h"
#include "hearth/transport/call/directory_client.h"
#include "hearth/transport/call/object_space.h"
#include "hearth/transport/call/served_process.h"
#include "hearth/transport/reach/matrix_reader.h"

namespace hearth::worker {
// In the order of building; ended in the reverse one.
struct ObjectHosting::Parts {
  std::shared_ptr<DirectoryClient> directory;
  std::shared_ptr<ObjectSpace> space;
  std::unique_ptr<ServedProcess> process;
};

ObjectHosting::ObjectHosting(std::unique_ptr<Parts> parts)
    : parts_(std::move(parts)) {}
ObjectHosting::~ObjectHosting() {
  parts_->process.reset();  // names leave before calls are refused
  parts_->space->End();
}

absl::StatusOr<std::vector<std::shared_ptr<const Class>>> LoadPlugins(
    const std::vector<std::string>& paths) {
  std::vector<std::shared_ptr<const Class>> classes;
  for (const std::string& path : paths) {
    HEARTH_ASSIGN_OR_RETURN(auto more, LoadPlugin(path, classes));
    classes.insert(classes.end(), more.begin(), more.end());
  }
  return classes;
}

absl::StatusOr<std::unique_ptr<ObjectHosting>> ObjectHosting::Start(
    ObjectHostingOptions options) {
  auto parts = std::make_unique<Parts>();
  const ConnectFunction connect = ConnectorFor(options.security);
  auto directory = std::make_shared<DirectoryClient>(
      connect, options.coordinator.ToString());
  parts->directory = directory;
  const auto matrices = MatrixOpener::Make(
      [directory](const std::string& name) {
        return directory->FindMatrix(name);
      },
      options.keeper, options.security);
  parts->space =
      ObjectSpace::Make({.host = {.process = absl::StrCat("worker ", getpid())},
                         .connect = connect,
                         .connect_plain = PlainConnectorFor(options.security),
                         .find =
                             [directory](const std::string& name) {
                               return directory->FindHandle(name);
                             },
                         .open_matrix =
                             [matrices](const MatrixHandle& handle) {
                               return matrices->Open(handle.text);
                             }});
  ServedProcessOptions served{.advertise = options.advertise,
                              .machine = options.keeper.ToString(),
                              .classes = std::move(options.classes)};
  if (options.listen.has_value()) {
    served.listen = options.listen;
    served.listen->port = 0;
    HEARTH_ASSIGN_OR_RETURN(const TcpSecurity tcp,
                            TcpSecurity::Open(options.security));
    served.credentials = tcp.ForServer();
    served.is_tcp_plain = options.security.insecure;
  }
  auto process =
      ServedProcess::Start(parts->space, *directory, std::move(served));
  if (!process.ok()) {
    parts->space->End();
    return process.status();
  }
  parts->process = *std::move(process);
  return std::unique_ptr<ObjectHosting>(new ObjectHosting(std::move(parts)));
}

}  // namespace hearth::worker
