#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/base/address.h"
#include "hearth/transport/security/credentials.h"

namespace hearth {

// What a process's TCP connections go by, as its user asked. Unix sockets need
// none of it.
struct TcpSecurityOptions {
  std::string tls_dir;    // empty: CredentialsDirectory("")
  bool insecure = false;  // without credentials, on purpose
};

// Mutual TLS for gRPC with the credentials of a directory; or, if that was
// asked for, none.
//
// Kind:    value; a server and any number of channels may use one.
class TcpSecurity {
 public:
  // Reads and checks the directory, unless `insecure`.
  static absl::StatusOr<TcpSecurity> Open(const TcpSecurityOptions& options);

  std::shared_ptr<grpc::ChannelCredentials> ForChannel() const;
  std::shared_ptr<grpc::ServerCredentials> ForServer() const;

  // Why no channel to `address` comes about; OK when nothing is wrong.
  absl::Status Explain(const Address& address) const;

 private:
  explicit TcpSecurity(std::optional<Credentials> credentials)
      : credentials_(std::move(credentials)) {}
  std::optional<Credentials> credentials_;  // none: insecure
};

}  // namespace hearth
