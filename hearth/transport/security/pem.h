#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "hearth/transport/security/openssl.h"

namespace hearth {

// What people are told of a certificate.
struct CertificateFacts {
  std::string fingerprint;  // SHA-256 of the whole, lower-case hexadecimal
  absl::Time not_before;
  absl::Time not_after;
  std::vector<std::string> hosts;  // its names and addresses, without ours
};

// Every certificate of a PEM text, in order; at least one. Other kinds of
// blocks are skipped.
//
// Fails: bad-credentials. The message is a finding alone, as "it holds no
//        certificate": the caller knows the file's name.
absl::StatusOr<std::vector<X509Ptr>> ParseCertificates(absl::string_view pem);

// The private key of a PEM text. Never asks anybody for a password.
absl::StatusOr<KeyPtr> ParseKey(absl::string_view pem);

absl::StatusOr<std::string> FormatCertificate(X509& certificate);
absl::StatusOr<std::string> FormatKey(EVP_PKEY& key);

CertificateFacts FactsOf(const X509& certificate);

}  // namespace hearth
