#include "hearth/transport/call/frame_socket.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "hearth/base/limits.h"

namespace hearth {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kReadBytes = 16 * limits::kKiB;
// Buffers that a large message has grown are not kept.
constexpr std::size_t kKeptBytesMax = 256 * limits::kKiB;
// Then others that wait for this thread have their turn.
constexpr int kReadsAtOnce = 16;
static_assert(std::endian::native == std::endian::little);

// The kernel takes 253 beside one message.
union Control {
  cmsghdr head;
  std::array<char, CMSG_SPACE(253 * sizeof(int))> bytes;
};

}  // namespace

FrameSocket::FrameSocket(UniqueFd fd, Role role, bool carries_descriptors)
    : fd_(std::move(fd)),
      carries_descriptors_(carries_descriptors),
      is_greeted_(role == Role::kConnected) {
  if (role == Role::kConnected) written_.assign(kGreeting, kGreetingBytes);
}

// --------------------------------------------------------------------- writing

bool FrameSocket::Send(proto::Frame frame, AttachmentPtr attached) {
  std::scoped_lock lock(mutex_);
  if (is_closed_) return true;
  waiting_.Add(std::move(frame), std::move(attached));
  return is_stuck_ ? false : Write();
}

bool FrameSocket::Flush() {
  std::scoped_lock lock(mutex_);
  return is_closed_ || Write();
}

bool FrameSocket::Write() {
  while (true) {
    if (written_to_ == written_.size() && !waiting_.empty()) {
      waiting_.Take(outgoing_, carries_descriptors_ ? &beside_ : nullptr);
      const std::size_t bytes = outgoing_.ByteSizeLong();
      if (written_.capacity() > kKeptBytesMax) written_ = std::string();
      written_.resize(kLengthBytes + bytes);
      const auto length = static_cast<std::uint32_t>(bytes);
      std::memcpy(written_.data(), &length, kLengthBytes);
      outgoing_.SerializeWithCachedSizesToArray(
          reinterpret_cast<std::uint8_t*>(written_.data()) + kLengthBytes);
      written_to_ = 0;
    }
    if (written_to_ == written_.size()) {
      is_stuck_ = false;
      return true;
    }
    const ssize_t sent = SendSome();
    if (sent >= 0) {
      beside_.clear();
      written_to_ += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK ||
               errno == ETOOMANYREFS) {
      // The last: too many descriptors of this user are under way; they arrive.
      is_stuck_ = true;
      return false;
    } else if (errno != EINTR) {
      is_closed_ = true;
      is_stuck_ = false;
      shutdown(fd_.get(), SHUT_RDWR);  // the reader learns of it, too
      return true;
    }
  }
}

ssize_t FrameSocket::SendSome() {
  iovec part = {written_.data() + written_to_, written_.size() - written_to_};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  Control control;
  if (!beside_.empty()) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(beside_.size() * sizeof(int));
    std::memset(control.bytes.data(), 0, message.msg_controllen);
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(beside_.size() * sizeof(int));
    for (std::size_t i = 0; i < beside_.size(); ++i) {
      const int fd = beside_[i]->fd();
      std::memcpy(CMSG_DATA(&control.head) + i * sizeof(int), &fd, sizeof(fd));
    }
  }
  return sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

std::int64_t FrameSocket::waiting_bytes() const {
  std::scoped_lock lock(mutex_);
  return waiting_.bytes();
}

void FrameSocket::Close() {
  {
    std::scoped_lock lock(mutex_);
    is_closed_ = true;
    is_stuck_ = false;
  }
  shutdown(fd_.get(), SHUT_RDWR);
}

// --------------------------------------------------------------------- reading

bool FrameSocket::Read(Conversation& conversation, Work& work) {
  bool is_drained = false;
  for (int i = 0; i < kReadsAtOnce && !is_drained; ++i) {
    if (!ReceiveSome(is_drained)) return false;
    if (!ReadMessages(conversation, work)) return false;
  }
  return true;
}

bool FrameSocket::ReceiveSome(bool& is_drained) {
  if (begin_ == end_) begin_ = end_ = 0;
  // Room for the message that has begun, but no more than twice what came of
  // it: its length is a claim.
  std::size_t wanted = kReadBytes;
  if (end_ - begin_ >= kLengthBytes) {
    std::uint32_t length = 0;
    std::memcpy(&length, read_.get() + begin_, kLengthBytes);
    wanted = std::max(wanted, std::min<std::size_t>(kLengthBytes + length,
                                                    2 * (end_ - begin_)));
  }
  const bool is_full = room_ - end_ < kLengthBytes || room_ - begin_ < wanted;
  if (is_full || (begin_ == end_ && room_ > kKeptBytesMax)) {
    if (begin_ > 0) {
      std::memmove(read_.get(), read_.get() + begin_, end_ - begin_);
    }
    end_ -= begin_;
    begin_ = 0;
    if (wanted > room_ || room_ > kKeptBytesMax) {
      // Pages of what is large are moved by the kernel, not copied.
      auto* const moved =
          static_cast<char*>(std::realloc(read_.release(), wanted));
      if (moved == nullptr) std::abort();
      read_.reset(moved);
      room_ = wanted;
    }
  }
  iovec part = {read_.get() + end_, room_ - end_};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  Control control;
  if (carries_descriptors_) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
  }
  ssize_t count = 0;
  do {
    count = recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    is_drained = true;
    return errno == EAGAIN || errno == EWOULDBLOCK;
  }
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const std::size_t came = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < came; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(fd));
      descriptors_.emplace_back(fd);
    }
  }
  if (count == 0 || (message.msg_flags & MSG_CTRUNC) != 0) return false;
  // Descriptors end a read before it is full.
  is_drained = static_cast<std::size_t>(count) < part.iov_len &&
               message.msg_controllen == 0;
  end_ += static_cast<std::size_t>(count);
  return std::ssize(descriptors_) <= limits::kDescriptorsHeldMax;
}

bool FrameSocket::ReadMessages(Conversation& conversation, Work& work) {
  if (!is_greeted_) {
    if (end_ - begin_ < kGreetingBytes) return true;
    if (std::memcmp(read_.get() + begin_, kGreeting, kGreetingBytes) != 0) {
      return false;
    }
    begin_ += kGreetingBytes;
    is_greeted_ = true;
  }
  while (end_ - begin_ >= kLengthBytes) {
    std::uint32_t length = 0;
    std::memcpy(&length, read_.get() + begin_, kLengthBytes);
    if (length > limits::kCallBytesMax) return false;
    if (end_ - begin_ < kLengthBytes + length) return true;
    const char* const body = read_.get() + begin_ + kLengthBytes;
    if (!incoming_.ParseFromArray(body, static_cast<int>(length))) return false;
    begin_ += kLengthBytes + length;
    if (!Hand(incoming_, conversation, work)) return false;
    if (length > kKeptBytesMax) proto::Envelope().Swap(&incoming_);
  }
  return true;
}

bool FrameSocket::Hand(proto::Envelope& message, Conversation& conversation,
                       Work& work) {
  for (proto::Frame& frame : *message.mutable_frames()) {
    if (!carries_descriptors_ || frame.has_piece() ||
        frame.attached_bytes() == 0 || conversation.in_pieces()) {
      conversation.OnFrame(frame, work);
      continue;
    }
    if (descriptors_.empty()) return false;
    UniqueFd fd = std::move(descriptors_.front());
    descriptors_.pop_front();
    conversation.OnFrame(
        frame,
        Attachment::Adopt(std::move(fd),
                          static_cast<std::int64_t>(frame.attached_bytes())),
        work);
  }
  return true;
}

}  // namespace hearth
