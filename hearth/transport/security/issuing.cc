#include "hearth/transport/security/issuing.h"

#include <filesystem>
#include <system_error>

#include "hearth/base/status.h"
#include "hearth/transport/security/credentials.h"
#include "hearth/transport/security/identity.h"
#include "hearth/transport/security/whole_directory.h"

namespace hearth {
namespace {

absl::StatusOr<CertificateFacts> FactsOfPem(const std::string& pem) {
  HEARTH_ASSIGN_OR_RETURN(const auto certificates, ParseCertificates(pem));
  return FactsOf(*certificates.front());
}

absl::StatusOr<IssuedDirectory> Write(const std::string& directory,
                                      const KeyedCertificate& authority,
                                      bool with_authority_key,
                                      const IssueOptions& options) {
  HEARTH_ASSIGN_OR_RETURN(const KeyedCertificate node,
                          IssueNode(authority, options.node, options.now));
  std::vector<NewFile> files = {
      {kAuthorityFile, authority.certificate, false},
      {kNodeFile, node.certificate, false},
      {kNodeKeyFile, node.key, true},
  };
  if (with_authority_key) {
    files.push_back({kAuthorityKeyFile, authority.key, true});
  }
  IssuedDirectory issued{.directory = directory};
  HEARTH_ASSIGN_OR_RETURN(issued.authority, FactsOfPem(authority.certificate));
  HEARTH_ASSIGN_OR_RETURN(issued.node, FactsOfPem(node.certificate));
  HEARTH_RETURN_IF_ERROR(
      WriteWholeDirectory(directory, files, options.replace));
  return issued;
}

}  // namespace

absl::StatusOr<IssuedDirectory> MakeCluster(const std::string& directory,
                                            const IssueOptions& options) {
  HEARTH_ASSIGN_OR_RETURN(const KeyedCertificate authority,
                          MakeAuthority(options.now));
  return Write(directory, authority, /*with_authority_key=*/true, options);
}

absl::StatusOr<IssuedDirectory> IssueDirectory(const std::string& authority,
                                               const std::string& directory,
                                               const IssueOptions& options) {
  KeyedCertificate signer;
  HEARTH_ASSIGN_OR_RETURN(signer.certificate,
                          ReadCertificateFile(authority, kAuthorityFile));
  HEARTH_ASSIGN_OR_RETURN(signer.key,
                          ReadKeyFile(authority, kAuthorityKeyFile));
  // Its own node's certificate is renewed where it lies, and the key stays.
  std::error_code not_there;
  const bool own = std::filesystem::equivalent(authority, directory, not_there);
  return Write(directory, signer, /*with_authority_key=*/own, options);
}

}  // namespace hearth
