#include "hearth/transport/security/pem.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/transport/security/identity.h"

namespace hearth {
namespace {

absl::Status Finding(absl::string_view finding) {
  ERR_clear_error();
  return Error(Reason::kBadCredentials, finding);
}

BioPtr BioOf(absl::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string TextOf(BIO& bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(&bio, &bytes);
  return size <= 0 ? "" : std::string(bytes, static_cast<std::size_t>(size));
}

// In place of OpenSSL's own, which would ask at the terminal.
int NoPassword(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromCivil(
      absl::CivilSecond(parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                        parts.tm_hour, parts.tm_min, parts.tm_sec),
      absl::UTCTimeZone());
}

std::string AddressText(const ASN1_OCTET_STRING& bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = bytes.length == 4    ? AF_INET
                     : bytes.length == 16 ? AF_INET6
                                          : AF_UNSPEC;
  if (family == AF_UNSPEC ||
      inet_ntop(family, bytes.data, text.data(), text.size()) == nullptr) {
    return "an address of another kind";
  }
  return text.data();
}

std::vector<std::string> HostsOf(const X509& certificate) {
  std::vector<std::string> hosts;
  const std::unique_ptr<GENERAL_NAMES, OpenSslFree<GENERAL_NAMES_free>> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(
          &certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get());
       ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) {
      const ASN1_IA5STRING* text = name->d.dNSName;
      std::string host(reinterpret_cast<const char*>(text->data),
                       static_cast<std::size_t>(text->length));
      if (host != kClusterName) hosts.push_back(std::move(host));
    } else if (name->type == GEN_IPADD) {
      hosts.push_back(AddressText(*name->d.iPAddress));
    }
  }
  return hosts;
}

}  // namespace

absl::StatusOr<std::vector<X509Ptr>> ParseCertificates(absl::string_view pem) {
  if (pem.size() > limits::kPemBytesMax) return Finding("it is too long");
  const BioPtr bio = BioOf(pem);
  std::vector<X509Ptr> certificates;
  while (
      X509Ptr next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    certificates.push_back(std::move(next));
  }
  // A text that has ended and one that is damaged look alike but for this.
  const unsigned long error = ERR_peek_last_error();
  if (ERR_GET_LIB(error) != ERR_LIB_PEM ||
      ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
    return Finding("a certificate in it is damaged");
  }
  if (certificates.empty()) return Finding("it holds no certificate");
  ERR_clear_error();
  return certificates;
}

absl::StatusOr<KeyPtr> ParseKey(absl::string_view pem) {
  if (pem.size() > limits::kPemBytesMax) return Finding("it is too long");
  const BioPtr bio = BioOf(pem);
  bool password_asked = false;
  KeyPtr key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, &password_asked));
  if (password_asked) {
    return Finding("its key is locked with a password, which nobody can type");
  }
  if (key == nullptr)
    return Finding("it holds no private key, or a damaged one");
  ERR_clear_error();
  return key;
}

absl::StatusOr<std::string> FormatCertificate(X509& certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), &certificate) != 1) {
    ERR_clear_error();
    return Error(Reason::kInternal, "write a certificate: OpenSSL refused to");
  }
  return TextOf(*bio);
}

absl::StatusOr<std::string> FormatKey(EVP_PKEY& key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(bio.get(), &key, nullptr, nullptr, 0, nullptr,
                               nullptr) != 1) {
    ERR_clear_error();
    return Error(Reason::kInternal, "write a key: OpenSSL refused to");
  }
  return TextOf(*bio);
}

CertificateFacts FactsOf(const X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  X509_digest(&certificate, EVP_sha256(), digest.data(), &size);
  return {.fingerprint = absl::BytesToHexString(absl::string_view(
              reinterpret_cast<const char*>(digest.data()), size)),
          .not_before = TimeOf(X509_get0_notBefore(&certificate)),
          .not_after = TimeOf(X509_get0_notAfter(&certificate)),
          .hosts = HostsOf(certificate)};
}

}  // namespace hearth
