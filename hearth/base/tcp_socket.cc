#include "hearth/base/tcp_socket.h"

#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hearth/base/descriptor_limit.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

// The kernel cuts it to net.core.somaxconn. Who floods a short queue keeps the
// others out of it.
constexpr int kBacklog = 4096;

bool IsLoopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
  }
  return false;
}

}  // namespace

absl::StatusOr<TcpListener> ListenTcp(const Address& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int unknown = getaddrinfo(
      address.name.c_str(), absl::StrCat(address.port).c_str(), &hints, &list);
  if (unknown != 0) {
    return Error(
        Reason::kAddressUnusable,
        absl::StrCat("listen on ", address.ToString(), ": ",
                     gai_strerror(unknown), "; give an address of this host"));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> freed(list,
                                                             freeaddrinfo);
  TcpListener listener{
      UniqueFd(socket(list->ai_family,
                      SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      address};
  const int on = 1;
  // A port that a dead process left in TIME_WAIT is free.
  setsockopt(listener.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (!listener.fd.valid() ||
      bind(listener.fd.get(), list->ai_addr, list->ai_addrlen) != 0 ||
      listen(listener.fd.get(), kBacklog) != 0) {
    const int error = errno;
    return Error(
        error == EADDRINUSE ? Reason::kNameTaken : Reason::kAddressUnusable,
        absl::StrCat("listen on ", address.ToString(), ": ",
                     std::strerror(error),
                     error == EADDRNOTAVAIL
                         ? "; that is no address of this host, \"ip address\" "
                           "lists them; 0.0.0.0 stands for all"
                     : error == EACCES ? "; choose a port from 1024 on"
                                       : "; choose another port or address of "
                                         "this host"));
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  if (getsockname(listener.fd.get(), reinterpret_cast<sockaddr*>(&bound),
                  &size) != 0) {
    return ErrnoStatus("getsockname");
  }
  listener.address.port =
      ntohs(bound.ss_family == AF_INET6
                ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  return listener;
}

absl::StatusOr<std::string> OwnAddressTowards(const Address& there) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int unknown = getaddrinfo(
      there.name.c_str(), absl::StrCat(there.port).c_str(), &hints, &list);
  if (unknown != 0) {
    return Error(
        Reason::kClusterUnreachable,
        absl::StrCat("find the way to ", there.ToString(), ": ",
                     gai_strerror(unknown), "; check the host's name"));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> freed(list,
                                                             freeaddrinfo);
  // A datagram socket that is connected has a route, and nothing was sent.
  const UniqueFd probe(socket(list->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage own{};
  socklen_t size = sizeof(own);
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE] = {};
  if (!probe.valid() ||
      connect(probe.get(), list->ai_addr, list->ai_addrlen) != 0 ||
      getsockname(probe.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0 ||
      getnameinfo(reinterpret_cast<const sockaddr*>(&own), size, text,
                  sizeof(text), nullptr, 0, NI_NUMERICHOST) != 0) {
    return Error(Reason::kClusterUnreachable,
                 absl::StrCat("find the way to ", there.ToString(), ": ",
                              std::strerror(errno),
                              "; check the address, and that this host has a "
                              "network"));
  }
  return std::string(text);
}

namespace {

// Whether it connected by then: 0, or the error.
int Connected(int fd, const addrinfo& to, absl::Time until) {
  if (connect(fd, to.ai_addr, to.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  pollfd wait = {fd, POLLOUT, 0};
  for (;;) {
    const absl::Duration left = until - absl::Now();
    const timespec patience =
        absl::ToTimespec(std::max(left, absl::ZeroDuration()));
    const int ready = ppoll(&wait, 1, &patience, nullptr);
    if (ready > 0) break;
    if (ready < 0 && errno != EINTR) return errno;
    if (left <= absl::ZeroDuration()) return ETIMEDOUT;
  }
  int error = 0;
  socklen_t size = sizeof(error);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error
                                                                  : errno;
}

}  // namespace

absl::StatusOr<UniqueFd> ConnectFirst(const addrinfo* list,
                                      absl::Duration within,
                                      absl::string_view attempt) {
  const absl::Time until = absl::Now() + within;
  int count = 0;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) ++count;
  int error = ETIMEDOUT;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    UniqueFd fd(
        socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) return ErrnoStatus(attempt);
    const absl::Time now = absl::Now();
    error = Connected(fd.get(), *one, now + (until - now) / count--);
    if (error != 0) continue;
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    NoticeSilence(fd.get());
    return fd;
  }
  return Error(Reason::kClusterUnreachable,
               absl::StrCat(attempt, ": ", std::strerror(error),
                            "; is it running, and is the address right?"));
}

absl::StatusOr<UniqueFd> ConnectTcp(const Address& address,
                                    absl::Duration within) {
  const std::string attempt = absl::StrCat("connect to ", address.ToString());
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int unknown = getaddrinfo(
      address.name.c_str(), absl::StrCat(address.port).c_str(), &hints, &list);
  if (unknown != 0) {
    return Error(Reason::kClusterUnreachable,
                 absl::StrCat(attempt, ": ", gai_strerror(unknown),
                              "; check the host's name"));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> freed(list,
                                                             freeaddrinfo);
  return ConnectFirst(list, within, attempt);
}

void NoticeSilence(int connected) {
  const int on = 1;
  const int idle_s = 10;
  const int again_s = 5;
  const int attempts = 2;
  const unsigned unanswered_ms = 20'000;
  setsockopt(connected, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  setsockopt(connected, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
  setsockopt(connected, IPPROTO_TCP, TCP_KEEPINTVL, &again_s, sizeof(again_s));
  setsockopt(connected, IPPROTO_TCP, TCP_KEEPCNT, &attempts, sizeof(attempts));
  setsockopt(connected, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms,
             sizeof(unanswered_ms));
}

UniqueFd AcceptTcp(int listener) {
  sockaddr_storage peer{};
  UniqueFd fd;
  do {  // what there is no room for is closed, and does not block the queue
    socklen_t size = sizeof(peer);
    fd = UniqueFd(accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size,
                          SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) return fd;
  } while (!HasRoomForConnection(fd.get()));
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (IsLoopback(peer)) {
    // A host's default may pace even loopback (BBR halves it). Not allowed to
    // everybody everywhere: then it stays as it is.
    constexpr char kLossBased[] = "reno";
    setsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, kLossBased,
               sizeof(kLossBased) - 1);
  }
  return fd;
}

}  // namespace hearth
