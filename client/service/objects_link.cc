#include "client/service/objects_link.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/status.h"
#include "hearth/base/tcp_socket.h"
#include "hearth/transport/call/connector.h"

namespace hearth::client {
absl::StatusOr<std::shared_ptr<ObjectsLink>> ObjectsLink::Connect(
    const std::string& address, const TcpSecurityOptions& security,
    OpenMatrixVia open_matrix) {
  std::shared_ptr<ObjectsLink> link(new ObjectsLink);
  link->address_ = address;
  link->security_ = security;
  const ConnectFunction connect = ConnectorFor(security);
  auto directory = std::make_shared<DirectoryClient>(connect, address);
  proto::NameQuery nothing;
  nothing.set_name("$");
  HEARTH_RETURN_IF_ERROR(directory->Find(nothing).status());
  link->directory_ = directory;
  link->space_ =
      ObjectSpace::Make({.host = {.process = absl::StrCat("pid ", getpid())},
                         .connect = connect,
                         .connect_plain = PlainConnectorFor(security),
                         .find =
                             [directory](const std::string& name) {
                               return directory->FindHandle(name);
                             },
                         .open_matrix = open_matrix(directory)});
  return link;
}

ObjectsLink::~ObjectsLink() {
  if (space_ != nullptr) space_->End();
}

absl::StatusOr<std::unique_ptr<ServedProcess>> ObjectsLink::Serve(
    const std::string& listen, const std::string& advertise,
    std::vector<std::shared_ptr<const Class>> classes) {
  ServedProcessOptions options{.advertise = advertise,
                               .classes = std::move(classes)};
  HEARTH_ASSIGN_OR_RETURN(const Address coordinator, Address::Parse(address_));
  if (!listen.empty()) {
    HEARTH_ASSIGN_OR_RETURN(options.listen, Address::Parse(listen));
  } else if (!coordinator.local()) {
    HEARTH_ASSIGN_OR_RETURN(std::string own, OwnAddressTowards(coordinator));
    options.listen =
        Address{.kind = Address::Kind::kTcp, .name = std::move(own), .port = 0};
  }
  if (options.listen.has_value()) {
    HEARTH_ASSIGN_OR_RETURN(const TcpSecurity tcp,
                            TcpSecurity::Open(security_));
    options.credentials = tcp.ForServer();
    options.is_tcp_plain = security_.insecure;
  }
  return ServedProcess::Start(space_, *directory_, std::move(options));
}

}  // namespace hearth::client
