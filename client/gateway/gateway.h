// The JSON gateway: objects of a cluster for whoever speaks HTTP.
//
//   GET  /objects                    what has a name; ?prefix= &tag= &any_tag=
//   GET  /objects/NAME               what its class declares
//   POST /objects/NAME/METHOD        [5, "ann"] or {"amount": 5, "to": "ann"}
//   GET  /objects/NAME/METHOD?a=5    what may be asked twice, or an attribute
//   PUT  /objects/NAME/ATTRIBUTE     its new value
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/objects.h"
#include "hearth/base/address.h"

namespace hearth::client {

struct GatewayOptions {
  Address listen;          // host:port
  std::string token_file;  // made where it is not there; empty: no token
  // Other machines may come, though the token crosses the network readably.
  bool insecure = false;
};

// Kind:    resource; its destructor hangs up on its clients.
// Threads: its own; see HttpServer.
// Fails:   not-allowed for an address that other machines reach; as TokenIn
//          and ListenTcp.
class Gateway {
 public:
  static absl::StatusOr<std::unique_ptr<Gateway>> Start(Objects objects,
                                                        GatewayOptions options);
  ~Gateway();

  const std::string& url() const { return url_; }

 private:
  struct Parts;
  explicit Gateway(std::unique_ptr<Parts> parts);
  std::string url_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::client
