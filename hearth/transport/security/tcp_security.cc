#include "hearth/transport/security/tcp_security.h"

#include <utility>

#include "hearth/base/clock.h"
#include "hearth/base/status.h"
#include "hearth/transport/security/diagnosis.h"

namespace hearth {

absl::StatusOr<TcpSecurity> TcpSecurity::Open(
    const TcpSecurityOptions& options) {
  if (options.insecure) return TcpSecurity(std::nullopt);
  HEARTH_ASSIGN_OR_RETURN(
      Credentials credentials,
      ReadCredentials(CredentialsDirectory(options.tls_dir), WallTime()));
  return TcpSecurity(std::move(credentials));
}

std::shared_ptr<grpc::ChannelCredentials> TcpSecurity::ForChannel() const {
  if (!credentials_.has_value()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = credentials_->authority;
  options.pem_cert_chain = credentials_->certificate;
  options.pem_private_key = credentials_->key;
  return grpc::SslCredentials(options);
}

std::shared_ptr<grpc::ServerCredentials> TcpSecurity::ForServer() const {
  if (!credentials_.has_value()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = credentials_->authority;
  options.pem_key_cert_pairs.push_back(
      {credentials_->key, credentials_->certificate});
  return grpc::SslServerCredentials(options);
}

absl::Status TcpSecurity::Explain(const Address& address) const {
  return ExplainFailure(address,
                        credentials_.has_value() ? &*credentials_ : nullptr);
}

}  // namespace hearth
