#include "hearth/base/unix_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

constexpr int kBacklog = 1024;

struct SocketName {
  sockaddr_un address{};
  socklen_t bytes = 0;
};

SocketName NameOf(const Address& address) {
  SocketName name;
  name.address.sun_family = AF_UNIX;
  const std::size_t skip = address.kind == Address::Kind::kUnixAbstract ? 1 : 0;
  const std::size_t room = sizeof(name.address.sun_path) - 1;
  const std::size_t size =
      address.name.size() < room ? address.name.size() : room;
  std::memcpy(name.address.sun_path + skip, address.name.data(), size);
  name.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + skip +
                                      size + (skip == 0 ? 1 : 0));
  return name;
}

absl::StatusOr<UniqueFd> NewSocket() {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoStatus("make a Unix socket");
  return fd;
}

}  // namespace

absl::StatusOr<UniqueFd> ListenUnix(const Address& address) {
  HEARTH_ASSIGN_OR_RETURN(UniqueFd fd, NewSocket());
  const SocketName name = NameOf(address);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&name.address),
           name.bytes) != 0) {
    if (errno == EADDRINUSE) {
      return Error(Reason::kNameTaken,
                   absl::StrCat("listen on ", address.ToString(),
                                ": another process does; choose another"));
    }
    return ErrnoStatus(absl::StrCat("listen on ", address.ToString()));
  }
  if (listen(fd.get(), kBacklog) != 0) {
    return ErrnoStatus(absl::StrCat("listen on ", address.ToString()));
  }
  return fd;
}

absl::StatusOr<UniqueFd> ConnectUnix(const Address& address) {
  HEARTH_ASSIGN_OR_RETURN(UniqueFd fd, NewSocket());
  const SocketName name = NameOf(address);
  int result = 0;
  do {
    result = connect(fd.get(), reinterpret_cast<const sockaddr*>(&name.address),
                     name.bytes);
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    return Error(Reason::kClusterUnreachable,
                 absl::StrCat("connect to ", address.ToString(), ": ",
                              std::strerror(errno),
                              "; is it running, and is the address the one "
                              "that its ready line printed?"));
  }
  HEARTH_RETURN_IF_ERROR(CheckPeer(fd.get()));
  return fd;
}

absl::Status CheckPeer(int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return ErrnoStatus("ask who is at the other end of a socket");
  }
  if (peer.uid != geteuid() && peer.uid != 0) {
    return Error(Reason::kNotAllowed,
                 absl::StrCat("talk to process ", peer.pid, ": it is user ",
                              peer.uid, "'s, and this is user ", geteuid(),
                              "'s; both ends must be one user's"));
  }
  return absl::OkStatus();
}

}  // namespace hearth
