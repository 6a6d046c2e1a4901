#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "hearth/base/address.h"
#include "hearth/base/unique_fd.h"
#include "hearth/transport/security/tcp_security.h"

namespace hearth::server {

struct CoordinatorServerOptions {
  // One of these, or both. A TCP address needs credentials, or on purpose none.
  std::optional<Address> local;
  std::optional<Address> tcp;
  UniqueFd listener;  // listens on `local` already; or none
  TcpSecurityOptions security;
  std::string state_dir;  // of the journal; empty: what it knows ends with it
};

// A coordinator that serves until it is destroyed.
//
// Kind:    resource. Threads: one that lets time pass, and gRPC's.
// Fails:   name-taken when an address is in use; as ReadCredentials for TCP.
class CoordinatorServer {
 public:
  static absl::StatusOr<std::unique_ptr<CoordinatorServer>> Start(
      CoordinatorServerOptions options);
  ~CoordinatorServer();

  // Where clients find it: the TCP address, if there is one, with its port.
  const std::string& address() const { return address_; }

  // How a worker of `host` ended, from a keeper that can say so itself.
  void TellStory(const std::string& host, std::int64_t pid,
                 const std::string& story);

 private:
  struct Parts;
  CoordinatorServer();

  std::string address_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::server
