#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hearth/base/address.h"
#include "hearth/object/class.h"
#include "hearth/transport/security/tcp_security.h"

namespace hearth::worker {

struct ObjectHostingOptions {
  Address coordinator;
  TcpSecurityOptions security;
  // Where other hosts reach it; a free port of that address.
  std::optional<Address> listen = {};
  std::string advertise = {};  // host
  Address keeper;              // the name of this host
  std::vector<std::shared_ptr<const Class>> classes;
};

// The classes of a list of libraries, in their order.
absl::StatusOr<std::vector<std::shared_ptr<const Class>>> LoadPlugins(
    const std::vector<std::string>& paths);

// Objects that clients create in this worker, of the classes that its plugins
// have.
//
// Kind:    resource. Its destructor takes them away. Threads: its own.
class ObjectHosting {
 public:
  static absl::StatusOr<std::unique_ptr<ObjectHosting>> Start(
      ObjectHostingOptions options);
  ~ObjectHosting();

 private:
  struct Parts;
  explicit ObjectHosting(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::worker
