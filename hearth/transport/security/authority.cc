#include "hearth/transport/security/authority.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/transport/security/identity.h"
#include "hearth/transport/security/pem.h"

namespace hearth {
namespace {

constexpr absl::Duration kAuthorityLifetime = absl::Hours(24 * 3650);
// Hosts whose clocks are behind ours may use a new certificate at once.
constexpr absl::Duration kClockDifferenceMax = absl::Hours(1);
constexpr std::size_t kDnsNameBytesMax = 253;    // RFC 1035
constexpr std::size_t kCommonNameBytesMax = 64;  // RFC 5280's ub-common-name

absl::Status Refused(absl::string_view what) {
  ERR_clear_error();
  return Error(Reason::kInternal,
               absl::StrCat("make a certificate: OpenSSL refused to ", what));
}

bool IsAddress(const std::string& host) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

absl::Status CheckHost(const std::string& host) {
  if (IsAddress(host)) return absl::OkStatus();
  const bool letters =
      std::all_of(host.begin(), host.end(), [](unsigned char letter) {
        return absl::ascii_isalnum(letter) || letter == '-' || letter == '.' ||
               letter == '_';
      });
  if (letters && !host.empty() && host.size() <= kDnsNameBytesMax &&
      host.front() != '.' && host.front() != '-') {
    return absl::OkStatus();
  }
  return Error(Reason::kBadUsage,
               absl::StrCat("make a certificate for host ", Quoted(host),
                            ": it is neither a DNS name nor an IP address"));
}

absl::Status AddExtension(X509& certificate, X509& issuer, int which,
                          const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, OpenSslFree<X509_EXTENSION_free>>
      extension(X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str()));
  if (extension == nullptr ||
      X509_add_ext(&certificate, extension.get(), -1) != 1) {
    return Refused(absl::StrCat("add ", OBJ_nid2sn(which), "=", value));
  }
  return absl::OkStatus();
}

// A certificate with everything but extensions and a signature.
absl::StatusOr<X509Ptr> Blank(EVP_PKEY& key, const std::string& name,
                              absl::Time not_before, absl::Time not_after) {
  X509Ptr certificate(X509_new());
  // 127 random bits: positive, and never used twice.
  std::array<unsigned char, 16> serial{};
  if (RAND_bytes(serial.data(), serial.size()) != 1) {
    return Refused("give random bytes");
  }
  serial[0] &= 0x7f;
  const std::unique_ptr<BIGNUM, OpenSslFree<BN_free>> number(
      BN_bin2bn(serial.data(), serial.size(), nullptr));
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  constexpr long kVersion3 = 2;
  if (X509_set_version(certificate.get(), kVersion3) != 1 ||
      BN_to_ASN1_INTEGER(number.get(),
                         X509_get_serialNumber(certificate.get())) == nullptr ||
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()),
                    absl::ToTimeT(not_before)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()),
                    absl::ToTimeT(not_after)) == nullptr ||
      X509_NAME_add_entry_by_txt(
          subject, "CN", MBSTRING_UTF8,
          reinterpret_cast<const unsigned char*>(name.data()),
          static_cast<int>(name.size()), -1, 0) != 1 ||
      X509_set_pubkey(certificate.get(), &key) != 1) {
    return Refused("fill it in");
  }
  return certificate;
}

absl::StatusOr<KeyedCertificate> Signed(X509& certificate, EVP_PKEY& key,
                                        EVP_PKEY& authority_key) {
  if (X509_sign(&certificate, &authority_key, EVP_sha256()) == 0) {
    return Refused("sign it");
  }
  KeyedCertificate made;
  HEARTH_ASSIGN_OR_RETURN(made.certificate, FormatCertificate(certificate));
  HEARTH_ASSIGN_OR_RETURN(made.key, FormatKey(key));
  return made;
}

absl::StatusOr<KeyPtr> NewKey() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return Refused("make a key");
  return key;
}

// "DNS:hearth-cluster,DNS:node7,IP:10.0.0.7"
std::string AlternativeNames(const std::vector<std::string>& hosts) {
  std::string names = absl::StrCat("DNS:", kClusterName);
  for (const std::string& host : hosts) {
    absl::StrAppend(&names, IsAddress(host) ? ",IP:" : ",DNS:", host);
  }
  return names;
}

std::string CommonName(const std::vector<std::string>& hosts) {
  return hosts.empty() ? "hearth node"
                       : hosts.front().substr(0, kCommonNameBytesMax);
}

absl::Status AuthorityError(absl::string_view file, absl::string_view finding) {
  return Error(Reason::kBadCredentials,
               absl::StrCat("sign with the authority's ", file, ": ", finding,
                            "; use the folder that \"hearth security init\" "
                            "made"));
}

}  // namespace

absl::StatusOr<KeyedCertificate> MakeAuthority(absl::Time now) {
  HEARTH_ASSIGN_OR_RETURN(const KeyPtr key, NewKey());
  HEARTH_ASSIGN_OR_RETURN(
      const X509Ptr certificate,
      Blank(*key, absl::StrCat("hearth authority ", Id::Random().ToString()),
            now - kClockDifferenceMax, now + kAuthorityLifetime));
  X509_set_issuer_name(certificate.get(),
                       X509_get_subject_name(certificate.get()));
  for (const auto& [which, value] :
       {std::pair(NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
        std::pair(NID_key_usage, "critical,keyCertSign,cRLSign"),
        std::pair(NID_subject_key_identifier, "hash")}) {
    HEARTH_RETURN_IF_ERROR(
        AddExtension(*certificate, *certificate, which, value));
  }
  return Signed(*certificate, *key, *key);
}

absl::StatusOr<KeyedCertificate> IssueNode(const KeyedCertificate& authority,
                                           const NodeRequest& request,
                                           absl::Time now) {
  if (request.hosts.size() > limits::kCertificateHostsMax) {
    return Error(
        Reason::kTooLarge,
        absl::StrCat("make a certificate: ", request.hosts.size(),
                     " hosts; the limit is ", limits::kCertificateHostsMax));
  }
  for (const std::string& host : request.hosts) {
    HEARTH_RETURN_IF_ERROR(CheckHost(host));
  }
  const auto chain = ParseCertificates(authority.certificate);
  if (!chain.ok()) {
    return AuthorityError(kAuthorityFile, chain.status().message());
  }
  X509& signer = *chain->front();
  const auto signer_key = ParseKey(authority.key);
  if (!signer_key.ok()) {
    return AuthorityError(kAuthorityKeyFile, signer_key.status().message());
  }
  if (X509_check_private_key(&signer, signer_key->get()) != 1) {
    ERR_clear_error();
    return AuthorityError(kAuthorityKeyFile, "it belongs to another ca.pem");
  }
  const absl::Time end = FactsOf(signer).not_after;
  if (end <= now) {
    return AuthorityError(
        kAuthorityFile, absl::StrCat("it expired on ", absl::FormatTime(end)));
  }
  HEARTH_ASSIGN_OR_RETURN(const KeyPtr key, NewKey());
  HEARTH_ASSIGN_OR_RETURN(
      const X509Ptr certificate,
      Blank(*key, CommonName(request.hosts), now - kClockDifferenceMax,
            std::min(now + request.lifetime, end)));
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(&signer));
  for (const auto& [which, value] :
       {std::pair(NID_basic_constraints, std::string("critical,CA:FALSE")),
        std::pair(NID_key_usage, std::string("critical,digitalSignature")),
        std::pair(NID_ext_key_usage, std::string("serverAuth,clientAuth")),
        std::pair(NID_subject_key_identifier, std::string("hash")),
        std::pair(NID_authority_key_identifier, std::string("keyid:always")),
        std::pair(NID_subject_alt_name, AlternativeNames(request.hosts))}) {
    HEARTH_RETURN_IF_ERROR(AddExtension(*certificate, signer, which, value));
  }
  return Signed(*certificate, *key, **signer_key);
}

}  // namespace hearth
