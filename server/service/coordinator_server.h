#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "hearth/base/address.h"
#include "hearth/base/unique_fd.h"

namespace hearth::server {

struct CoordinatorServerOptions {
  Address address;
  UniqueFd listener;      // listens on a local `address` already; or none
  bool insecure = false;  // TCP without credentials is allowed
};

// A coordinator that serves until it is destroyed.
//
// Kind:    resource. Threads: one that lets time pass, and gRPC's.
// Fails:   name-taken when the address is in use; not-allowed for TCP without
//          `insecure`.
class CoordinatorServer {
 public:
  static absl::StatusOr<std::unique_ptr<CoordinatorServer>> Start(
      CoordinatorServerOptions options);
  ~CoordinatorServer();

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
