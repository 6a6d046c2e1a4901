#include "hearth/base/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/id.h"
#include "hearth/base/read_file.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

struct UnixName {
  sockaddr_un address{};
  socklen_t bytes = 0;
};

absl::StatusOr<UnixName> NameOf(const Address& address) {
  if (!address.local()) {
    return Error(Reason::kNotYet,
                 absl::StrCat("open a Unix socket at ", address.ToString(),
                              ": that is a TCP address; write unix:PATH or "
                              "unix-abstract:NAME"));
  }
  UnixName name;
  name.address.sun_family = AF_UNIX;
  // Address::Parse bounds names, but an Address may be built by hand.
  if (address.name.size() >= sizeof(name.address.sun_path)) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("open a Unix socket at ", address.ToString(),
                              ": the name is longer than 107 bytes"));
  }
  const bool abstract = address.kind == Address::Kind::kUnixAbstract;
  std::memcpy(name.address.sun_path + (abstract ? 1 : 0), address.name.data(),
              address.name.size());
  // An abstract name has one NUL before it and no end but its length; a path
  // has one behind it.
  name.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 +
                                      address.name.size());
  return name;
}

absl::StatusOr<UniqueFd> OpenSocket(SocketType type, int flags) {
  const int kind = type == SocketType::kPacket ? SOCK_SEQPACKET : SOCK_STREAM;
  UniqueFd fd(socket(AF_UNIX, kind | SOCK_CLOEXEC | flags, 0));
  if (!fd.valid()) return ErrnoStatus("open a Unix socket");
  return fd;
}

}  // namespace

std::string NeighbourhoodOf(const Address& address) {
  const bool abstract = address.kind == Address::Kind::kUnixAbstract;
  const std::string what =
      abstract ? "/proc/self/ns/net"
               : std::filesystem::path(address.name).parent_path().string();
  struct stat found {};
  const auto boot = ReadSmallFile("/proc/sys/kernel/random/boot_id");
  if (!address.local() || !boot.ok() || stat(what.c_str(), &found) != 0) {
    return "";
  }
  return absl::StrCat(absl::StripAsciiWhitespace(*boot), " ", geteuid(), " ",
                      found.st_dev, " ", found.st_ino);
}

Address RandomAbstractAddress() {
  return Address::Abstract(absl::StrCat("hearth-", Id::Random().ToString()));
}

absl::StatusOr<UniqueFd> ListenUnix(const Address& address, SocketType type) {
  HEARTH_ASSIGN_OR_RETURN(const UnixName name, NameOf(address));
  HEARTH_ASSIGN_OR_RETURN(UniqueFd fd, OpenSocket(type, SOCK_NONBLOCK));
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&name.address),
           name.bytes) != 0) {
    if (errno != EADDRINUSE) {
      return Error(Reason::kAddressUnusable,
                   absl::StrCat("listen at ", address.ToString(), ": ",
                                std::strerror(errno),
                                "; name a file in a folder that is there and "
                                "that you may write"));
    }
    struct stat found {};
    const bool is_in_the_way = name.address.sun_path[0] != '\0' &&
                               lstat(name.address.sun_path, &found) == 0 &&
                               !S_ISSOCK(found.st_mode);
    return Error(Reason::kNameTaken,
                 absl::StrCat("listen at ", address.ToString(),
                              is_in_the_way
                                  ? ": something lies there that is no socket; "
                                    "move it away or choose another name"
                                  : ": another process does already; stop it "
                                    "or choose another name"));
  }
  if (listen(fd.get(), SOMAXCONN) != 0) {
    return ErrnoStatus(absl::StrCat("listen at ", address.ToString()));
  }
  return fd;
}

absl::StatusOr<UniqueFd> AcceptUnix(int listener, const PeerRule& rule) {
  UniqueFd fd;
  do {
    fd.Reset(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  } while (!fd.valid() && (errno == EINTR || errno == ECONNABORTED));
  if (!fd.valid()) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return fd;
    return ErrnoStatus("accept a connection");
  }
  HEARTH_RETURN_IF_ERROR(CheckPeer(fd.get(), rule));
  return fd;
}

absl::StatusOr<UniqueFd> ConnectUnix(const Address& address, SocketType type,
                                     absl::Duration deadline,
                                     const PeerRule& rule) {
  HEARTH_ASSIGN_OR_RETURN(const UnixName name, NameOf(address));
  HEARTH_ASSIGN_OR_RETURN(UniqueFd fd, OpenSocket(type, 0));
  // The kernel bounds connect() by the send timeout: it waits only while the
  // listener's queue is full. Zero would mean for ever.
  const timeval patience =
      absl::ToTimeval(std::max(deadline, absl::Milliseconds(1)));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  int failed = 0;
  do {
    failed = connect(fd.get(), reinterpret_cast<const sockaddr*>(&name.address),
                     name.bytes);
  } while (failed != 0 && errno == EINTR);
  if (failed != 0) {
    if (errno == EAGAIN) {
      return Error(Reason::kDeadlineExceeded,
                   absl::StrCat("connect to ", address.ToString(),
                                ": not accepted within ",
                                absl::FormatDuration(deadline)));
    }
    // A path may be another machine's: here it leads nowhere, or anywhere.
    if (errno == ECONNREFUSED || errno == ENOENT || errno == ENOTDIR ||
        errno == EACCES || errno == EPROTOTYPE) {
      return Error(
          Reason::kClusterUnreachable,
          absl::StrCat("connect to ", address.ToString(),
                       ": nobody listens there; see that it runs still, and "
                       "that the address is the one it printed"));
    }
    return ErrnoStatus(absl::StrCat("connect to ", address.ToString()));
  }
  HEARTH_RETURN_IF_ERROR(CheckPeer(fd.get(), rule));
  return fd;
}

absl::StatusOr<Peer> PeerOf(int connected) {
  ucred credentials{};
  socklen_t bytes = sizeof(credentials);
  if (getsockopt(connected, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) !=
      0) {
    return ErrnoStatus("ask who is at the other end of a socket");
  }
  return Peer{credentials.pid, credentials.uid, credentials.gid};
}

absl::Status CheckPeer(int connected, const PeerRule& rule) {
  HEARTH_ASSIGN_OR_RETURN(const Peer peer, PeerOf(connected));
  const uid_t own = geteuid();
  if (peer.uid == own) return absl::OkStatus();
  if (rule.allowed_group.has_value() && peer.gid == *rule.allowed_group) {
    return absl::OkStatus();
  }
  return Error(Reason::kNotAllowed,
               absl::StrCat("talk over a Unix socket: the other end belongs to "
                            "user id ",
                            peer.uid, ", this process to ", own,
                            "; run both as one user"));
}

}  // namespace hearth
