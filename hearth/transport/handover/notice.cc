#include "hearth/transport/handover/notice.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

struct SocketName {
  sockaddr_un address{};
  socklen_t bytes = 0;

  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&address);
  }
};

// Beside the keeper's own abstract name.
std::optional<SocketName> NameBeside(absl::string_view keeper) {
  const std::string text = absl::StrCat(keeper, ".notices");
  SocketName name;
  if (text.size() >= sizeof(name.address.sun_path)) return std::nullopt;
  name.address.sun_family = AF_UNIX;
  std::copy(text.begin(), text.end(), name.address.sun_path + 1);
  name.bytes =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  return name;
}

UniqueFd DatagramSocket() {
  return UniqueFd(
      socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// One a process, for its whole life: datagrams don't mix, and a child that
// sends by its parent's is told from it. No lock, which a fork could catch.
int OwnSocket() {
  static std::atomic<int> own = -1;
  int found = own.load();
  if (found >= 0) return found;
  UniqueFd made = DatagramSocket();
  if (own.compare_exchange_strong(found, made.get())) return made.Release();
  return found;
}

std::optional<Peer> SenderOf(msghdr& message) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET ||
        header->cmsg_type != SCM_CREDENTIALS) {
      continue;
    }
    ucred sender{};
    std::memcpy(&sender, CMSG_DATA(header), sizeof(sender));
    return Peer{sender.pid, sender.uid, sender.gid};
  }
  return std::nullopt;
}

}  // namespace

NoticeSent SendNotice(const Address& keeper, const SegmentMessage& notice) {
  if (keeper.kind != Address::Kind::kUnixAbstract) return NoticeSent::kNotNow;
  const std::optional<SocketName> name = NameBeside(keeper.name);
  if (!name.has_value()) return NoticeSent::kNotNow;
  if (sendto(OwnSocket(), &notice, sizeof(notice), MSG_DONTWAIT | MSG_NOSIGNAL,
             name->get(), name->bytes) == sizeof(notice)) {
    return NoticeSent::kYes;
  }
  return errno == ECONNREFUSED ? NoticeSent::kNobody : NoticeSent::kNotNow;
}

absl::StatusOr<UniqueFd> ListenForNotices(int listener) {
  sockaddr_un own{};
  socklen_t bytes = sizeof(own);
  constexpr socklen_t kNameBegins = offsetof(sockaddr_un, sun_path) + 1;
  if (getsockname(listener, reinterpret_cast<sockaddr*>(&own), &bytes) != 0 ||
      own.sun_family != AF_UNIX || bytes <= kNameBegins ||
      own.sun_path[0] != '\0') {
    return Error(Reason::kBadUsage,
                 "listen for notices: the listener has no abstract name");
  }
  const absl::string_view keeper(own.sun_path + 1, bytes - kNameBegins);
  const std::optional<SocketName> name = NameBeside(keeper);
  UniqueFd made = DatagramSocket();
  const int yes = 1;
  if (!name.has_value() || !made.valid() ||
      setsockopt(made.get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) != 0 ||
      bind(made.get(), name->get(), name->bytes) != 0) {
    return Error(Reason::kNameTaken,
                 absl::StrCat("listen for notices beside ", keeper,
                              ": the name is taken, or none can be made"));
  }
  return made;
}

std::optional<Notice> NextNotice(int socket) {
  for (;;) {
    // One byte more than a notice has: a longer one shows.
    std::array<char, sizeof(SegmentMessage) + 1> packet;
    iovec part{.iov_base = packet.data(), .iov_len = packet.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t received =
        recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) return std::nullopt;
    const std::optional<Peer> from = SenderOf(message);
    const std::optional<ParsedMessage> parsed =
        ParseMessage({packet.data(), static_cast<std::size_t>(received)});
    // Anybody may send; what is no notice of ours is dropped.
    if (!from.has_value() || from->uid != geteuid() || from->pid <= 0 ||
        !parsed.has_value()) {
      continue;
    }
    return Notice{parsed->head, *from};
  }
}

}  // namespace hearth
