#include "hearth/transport/handover/packet.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "hearth/transport/handover/segment_message.h"

namespace hearth {
namespace {

constexpr std::size_t kControlBytes =
    CMSG_SPACE(kHandoverDescriptorsMax * sizeof(int));

}  // namespace

PacketResult SendPacket(int socket, std::span<const iovec> parts,
                        std::span<const int> descriptors) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  alignas(cmsghdr) char control[kControlBytes];
  if (!descriptors.empty()) {
    if (descriptors.size() > kHandoverDescriptorsMax) return {EMSGSIZE, 0};
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    std::memset(control, 0, message.msg_controllen);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(),
                descriptors.size_bytes());
  }
  ssize_t sent = -1;
  do {
    sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return {errno, 0};
  return {0, static_cast<std::size_t>(sent)};
}

PacketResult ReceivePacket(int socket, std::span<std::byte> buffer,
                           std::vector<UniqueFd>& descriptors) {
  iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
  alignas(cmsghdr) char control[kControlBytes];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t received = -1;
  do {
    received = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return {errno, 0};

  // Whatever came is owned before anything is judged, or it would leak.
  const std::size_t kept = descriptors.size();
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(fd);
    }
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    descriptors.resize(kept);
    return {EMSGSIZE, 0};
  }
  // The protocol has no empty packets, so nothing is the end.
  if (received == 0) return {ECONNRESET, 0};
  return {0, static_cast<std::size_t>(received)};
}

}  // namespace hearth
