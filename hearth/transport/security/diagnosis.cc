#include "hearth/transport/security/diagnosis.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "hearth/base/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/base/unique_fd.h"
#include "hearth/transport/security/identity.h"
#include "hearth/transport/security/tls_probe.h"

namespace hearth {
namespace {

using End = ProbeResult::End;

absl::Status Met(Reason reason, const Address& address,
                 absl::string_view finding, absl::string_view advice) {
  return Error(reason, absl::StrCat("connect to ", address.ToString(), ": ",
                                    finding, "; ", advice));
}

absl::Status Unreachable(const Address& address, absl::string_view finding) {
  return Met(Reason::kClusterUnreachable, address, finding,
             "is the cluster running, and is the address right?");
}

absl::Status Untrusted(const Address& address, absl::string_view finding,
                       absl::string_view advice) {
  return Met(Reason::kBadCredentials, address, finding, advice);
}

// Waits until a socket is connected; 0 or the errno.
int ConnectOne(const UniqueFd& socket, const addrinfo& to,
               absl::Time deadline) {
  if (connect(socket.get(), to.ai_addr, to.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd wait = {socket.get(), POLLOUT, 0};
  const absl::Duration left = deadline - Clock::Real().Now();
  const int ready = poll(&wait, 1,
                         static_cast<int>(std::max<std::int64_t>(
                             0, absl::ToInt64Milliseconds(left))));
  if (ready <= 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

absl::StatusOr<UniqueFd> Dial(const Address& address, absl::Time deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int unknown = getaddrinfo(
      address.name.c_str(), absl::StrCat(address.port).c_str(), &hints, &list);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(list,
                                                                 &freeaddrinfo);
  if (unknown != 0) {
    return Unreachable(address, absl::StrCat("the host name is unknown (",
                                             gai_strerror(unknown), ")"));
  }
  int error = ECONNREFUSED;
  for (const addrinfo* to = list; to != nullptr; to = to->ai_next) {
    UniqueFd socket(
        ::socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.valid()) continue;
    error = ConnectOne(socket, *to, deadline);
    if (error == 0) return socket;
  }
  if (error == ECONNREFUSED)
    return Unreachable(address, "nobody listens there");
  if (error == ETIMEDOUT) return Unreachable(address, "nobody answers");
  return Unreachable(address, std::strerror(error));
}

absl::Status AboutItsCertificate(const Address& address,
                                 const Credentials& ours, long error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Untrusted(address, "its certificate has expired",
                       "issue it a new one with \"hearth security issue\", "
                       "and start it again");
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Untrusted(address, "its certificate is not valid yet",
                       "compare the clocks of the two hosts");
    case X509_V_ERR_HOSTNAME_MISMATCH:
      return Untrusted(address,
                       absl::StrCat("its certificate lacks the name ",
                                    kClusterName, ": it is no Hearth node's"),
                       "is the address right?");
    default:
      return Untrusted(
          address,
          absl::StrCat(
              "its certificate is of another authority than ",
              Quoted(absl::StrCat(ours.directory, "/", kAuthorityFile))),
          "use the credentials of that cluster, or the address of this one");
  }
}

absl::Status AboutOurs(const Address& address, const Credentials& ours,
                       int alert) {
  const std::string refused =
      absl::StrCat("it refused our certificate ",
                   Quoted(absl::StrCat(ours.directory, "/", kNodeFile)));
  switch (alert) {
    case SSL_AD_CERTIFICATE_EXPIRED:
      return Untrusted(address, absl::StrCat(refused, " as expired"),
                       "issue a new one with \"hearth security issue\"");
    case SSL_AD_UNKNOWN_CA:
      return Untrusted(address,
                       absl::StrCat(refused, " as another authority's"),
                       "use the credentials of that cluster");
    default:
      return Untrusted(address, refused,
                       "use the credentials of that cluster; if they are, "
                       "compare the clocks of the two hosts");
  }
}

absl::Status WithCredentials(const Address& address, const Credentials& ours,
                             const ProbeResult& result) {
  if (result.end == End::kTimedOut) {
    return Unreachable(address,
                       "somebody takes the connection and says nothing");
  }
  if (!result.spoke_tls) {
    return Untrusted(address, "it speaks no TLS",
                     "if it runs with --insecure on purpose, say that here, "
                     "too; else start it with --tls-dir");
  }
  if (result.verify_error != X509_V_OK) {
    return AboutItsCertificate(address, ours, result.verify_error);
  }
  if (result.end == End::kBrokenOff) {
    return AboutOurs(address, ours, result.alert);
  }
  if (result.end == End::kRefused) {
    if (result.alert == SSL_AD_NO_APPLICATION_PROTOCOL) {
      return Untrusted(address, "it speaks TLS, but is no coordinator",
                       "is the address right?");
    }
    return AboutOurs(address, ours, result.alert);
  }
  if (!result.chose_http2) {
    return Untrusted(address, "it speaks TLS, but is no coordinator",
                     "is the address right?");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ExplainFailure(const Address& address,
                            const Credentials* credentials,
                            absl::Duration patience) {
  const absl::Time deadline = Clock::Real().Now() + patience;
  HEARTH_ASSIGN_OR_RETURN(UniqueFd socket, Dial(address, deadline));
  HEARTH_ASSIGN_OR_RETURN(const ProbeResult result,
                          ProbeTls(std::move(socket), credentials, deadline));
  if (credentials != nullptr) {
    return WithCredentials(address, *credentials, result);
  }
  if (result.spoke_tls) {
    return Untrusted(address, "it wants TLS, and this end goes --insecure",
                     "leave --insecure out, and name the cluster's "
                     "credentials with --tls-dir");
  }
  return absl::OkStatus();
}

}  // namespace hearth
