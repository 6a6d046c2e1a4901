#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearth/base/address.h"
#include "hearth/base/unique_fd.h"

namespace hearth {

// kPacket keeps message borders (SOCK_SEQPACKET): the handover protocol.
// kStream is for bytes that another library reads: gRPC over an accepted fd.
enum class SocketType : std::uint8_t { kStream, kPacket };

// Equal for processes that can connect to each other's sockets of that kind: of
// one user, one kernel, and one network namespace (abstract names) or folder.
// Empty for what is no Unix socket, or can't be told.
std::string NeighbourhoodOf(const Address& address);

// Who is at the other end of a Unix socket, as the kernel says.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Whom to talk to: processes of our own user, and of one group if asked.
struct PeerRule {
  std::optional<gid_t> allowed_group = {};
};

// A listener on a Unix address. Abstract names belong to the network namespace
// and end with their last descriptor: no file, nothing to sweep.
//
// Fails: name-taken; address-unusable; not-yet for a TCP address.
absl::StatusOr<UniqueFd> ListenUnix(const Address& address, SocketType type);

// A fresh abstract name that nobody can guess: "hearth-" and 32 digits.
Address RandomAbstractAddress();

// The next waiting connection, non-blocking and checked; an invalid fd where
// none waits.
//
// Fails: not-allowed for another user's, which is closed; else the listener is
//        broken or descriptors have run out.
absl::StatusOr<UniqueFd> AcceptUnix(int listener, const PeerRule& rule = {});

// A connected, checked socket.
//
// Fails: cluster-unreachable when nobody listens there; not-allowed;
//        deadline-exceeded when the listener doesn't take it in time.
absl::StatusOr<UniqueFd> ConnectUnix(const Address& address, SocketType type,
                                     absl::Duration deadline,
                                     const PeerRule& rule = {});

absl::StatusOr<Peer> PeerOf(int connected);

// Fails: not-allowed, naming the uid at the other end.
absl::Status CheckPeer(int connected, const PeerRule& rule);

}  // namespace hearth
