#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/base/unique_fd.h"
#include "hearth/transport/security/credentials.h"
#include "hearth/transport/security/openssl.h"

namespace hearth {

// How far one TLS handshake got, from the client's side.
struct ProbeResult {
  enum class End : std::uint8_t {
    kAnswered,   // handshake done, and the other end began to talk
    kSilent,     // handshake done, and nothing more came in time
    kBrokenOff,  // handshake done on our side; then the other end hung up
    kRefused,    // the handshake failed: see the other fields
    kTimedOut,   // it neither failed nor ended in time
  };
  End end = End::kRefused;
  bool spoke_tls = false;         // the other end's first bytes were TLS's
  bool chose_http2 = false;       // as every gRPC server does
  int alert = -1;                 // that the other end sent; -1: none
  long verify_error = X509_V_OK;  // what we found wrong with its certificate
};

// A TLS handshake over a connected, non-blocking socket, with `credentials` or
// (null) without proving or checking anything. Never raises SIGPIPE.
//
// Fails: bad-credentials, when ours can't be used at all.
absl::StatusOr<ProbeResult> ProbeTls(UniqueFd socket,
                                     const Credentials* credentials,
                                     absl::Time deadline);

}  // namespace hearth
