#include "hearth/transport/call/socket_wire.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <utility>

#include "absl/time/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/call/frame_socket.h"

namespace hearth {
namespace {

// The calling end: what waits for an answer reads the socket itself.
class SocketWire final : public Wire {
 public:
  SocketWire(PlainSocket socket, std::weak_ptr<Conversation> conversation,
             ObjectHost& host)
      : conversation_(std::move(conversation)),
        host_(host),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        socket_(std::move(socket.fd), FrameSocket::Role::kConnected,
                socket.carries_descriptors) {}

  bool Send(proto::Frame frame, AttachmentPtr attached) override {
    if (socket_.Send(std::move(frame), std::move(attached))) return true;
    Wake();  // whoever polls shall look for room, too
    return false;
  }
  bool carries_descriptors() const override {
    return socket_.carries_descriptors();
  }
  std::int64_t waiting_bytes() const override {
    return socket_.waiting_bytes();
  }
  bool is_polled() const override { return true; }

  void Poll(absl::Time until) override {
    if (has_ended_) return;
    const short out = socket_.is_stuck() ? POLLOUT : 0;
    std::array<pollfd, 2> waits = {
        {{socket_.fd(), static_cast<short>(POLLIN | out), 0},
         {wake_.get(), POLLIN, 0}}};
    timespec left = {};
    const bool is_endless = until == absl::InfiniteFuture();
    if (!is_endless) {
      left =
          absl::ToTimespec(std::max(until - absl::Now(), absl::ZeroDuration()));
    }
    if (ppoll(waits.data(), waits.size(), is_endless ? nullptr : &left,
              nullptr) <= 0) {
      return;
    }
    if (waits[1].revents != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto taken =
          read(wake_.get(), &count, sizeof(count));
    }
    if ((waits[0].revents & POLLOUT) != 0) socket_.Flush();
    if ((waits[0].revents & ~POLLOUT) == 0) return;
    const auto conversation = conversation_.lock();
    if (conversation == nullptr) return;
    Work work;
    if (!socket_.Read(*conversation, work)) {
      has_ended_ = true;
      conversation->OnBroken(Error(Reason::kObjectGone, "the connection broke"),
                             work);
    }
    for (auto& part : work) host_.crew().Post(std::move(part));
  }

  void Close() override { socket_.Close(); }

 private:
  void Wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof(one));
  }

  const std::weak_ptr<Conversation> conversation_;
  ObjectHost& host_;
  const UniqueFd wake_;
  FrameSocket socket_;
  std::atomic<bool> has_ended_ = false;
};

}  // namespace

absl::StatusOr<std::shared_ptr<Conversation>> OpenConversation(
    PlainSocket socket, ObjectHost& host, absl::Time deadline) {
  auto conversation = std::make_shared<Conversation>(host);
  conversation->Start(
      std::make_shared<SocketWire>(std::move(socket), conversation, host));
  HEARTH_RETURN_IF_ERROR(conversation->Greet(deadline));
  return conversation;
}

}  // namespace hearth
