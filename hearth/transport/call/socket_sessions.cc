#include "hearth/transport/call/socket_sessions.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/call/frame_socket.h"

namespace hearth {
namespace {

constexpr int kReadersFirst = 2;
constexpr int kReadersMax = 64;
constexpr std::uint64_t kStop = 0;  // instead of a session's number

}  // namespace

// Told of what comes once (EPOLLONESHOT), and again when it was read: one
// thread reads at a time, and what it reads begins in its order.
//
// Kind: lives as long as it is listed, or its conversation holds it.
class SocketSessions::Session final : public Wire {
 public:
  Session(SocketSessions& all, std::uint64_t id, UniqueFd fd, bool descriptors)
      : all_(all),
        id_(id),
        socket_(std::move(fd), FrameSocket::Role::kAccepted, descriptors) {}

  void Begin(const std::shared_ptr<Session>& self) {
    conversation_ = std::make_shared<Conversation>(all_.host_);
    conversation_->Start(self);
    std::scoped_lock lock(mutex_);
    is_handled_ = false;
    Tell(EPOLL_CTL_ADD);
  }

  bool Send(proto::Frame frame, AttachmentPtr attached) override {
    if (socket_.Send(std::move(frame), std::move(attached))) return true;
    std::scoped_lock lock(mutex_);
    if (!is_handled_) Tell(EPOLL_CTL_MOD);
    return true;  // the readers go on with it
  }
  bool carries_descriptors() const override {
    return socket_.carries_descriptors();
  }
  std::int64_t waiting_bytes() const override {
    return socket_.waiting_bytes();
  }
  void Close() override { socket_.Close(); }

  // What the socket is ready for. False: it has ended.
  bool Handle(std::uint32_t events, Work& work) {
    std::scoped_lock reading(reading_);
    {
      std::scoped_lock lock(mutex_);
      is_handled_ = true;
    }
    if (conversation_ == nullptr) return false;
    if ((events & EPOLLOUT) != 0) socket_.Flush();
    if ((events & ~EPOLLOUT) != 0 && !socket_.Read(*conversation_, work)) {
      conversation_->OnBroken(
          Error(Reason::kObjectGone, "the connection broke"), work);
      // What runs still may hold the conversation, and it this.
      work.push_back([conversation = std::move(conversation_)] {});
      return false;
    }
    std::scoped_lock lock(mutex_);
    is_handled_ = false;
    Tell(EPOLL_CTL_MOD);
    return true;
  }

 private:
  void Tell(int how) {
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLONESHOT;
    if (socket_.is_stuck()) event.events |= EPOLLOUT;
    event.data.u64 = id_;
    epoll_ctl(all_.epoll_.get(), how, socket_.fd(), &event);
  }

  SocketSessions& all_;
  const std::uint64_t id_;
  FrameSocket socket_;
  std::mutex reading_;
  std::shared_ptr<Conversation> conversation_;  // under reading_
  std::mutex mutex_;
  bool is_handled_ = true;  // under mutex_: whoever handles it tells again
};

absl::StatusOr<std::unique_ptr<SocketSessions>> SocketSessions::Start(
    ObjectHost& host) {
  std::unique_ptr<SocketSessions> made(new SocketSessions(host));
  made->epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  made->stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!made->epoll_.valid() || !made->stop_.valid()) {
    return ErrnoStatus("make an epoll");
  }
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = kStop;
  epoll_ctl(made->epoll_.get(), EPOLL_CTL_ADD, made->stop_.get(), &event);
  return made;
}

SocketSessions::~SocketSessions() {
  Refuse();
  while (true) {
    {
      std::scoped_lock lock(mutex_);
      if (sessions_.empty()) break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(stop_.get(), &one, sizeof(one));
  while (true) {
    std::vector<std::thread> readers;
    {
      std::scoped_lock lock(mutex_);
      readers.swap(readers_);
    }
    if (readers.empty()) break;
    for (std::thread& reader : readers) reader.join();
  }
}

void SocketSessions::Admit(UniqueFd connection, bool carries_descriptors) {
  std::shared_ptr<Session> session;
  {
    std::scoped_lock lock(mutex_);
    if (is_ending_) return;
    const std::uint64_t id = next_++;
    session = std::make_shared<Session>(*this, id, std::move(connection),
                                        carries_descriptors);
    sessions_[id] = session;
  }
  if (reader_count_ == 0) {
    for (int i = 0; i < kReadersFirst; ++i) AddReader();
  }
  session->Begin(session);
}

void SocketSessions::Refuse() {
  std::vector<std::shared_ptr<Session>> sessions;
  {
    std::scoped_lock lock(mutex_);
    is_ending_ = true;
    for (const auto& [id, session] : sessions_) sessions.push_back(session);
  }
  for (const auto& session : sessions) session->Close();
}

bool SocketSessions::AddReader() {
  std::scoped_lock lock(mutex_);
  if (is_ending_) return false;
  ++reader_count_;
  ++waiting_;  // at once, so that no second one is started for the same lack
  readers_.emplace_back([this] { Read(); });
  return true;
}

void SocketSessions::Read() {
  while (true) {
    epoll_event event = {};
    if (epoll_wait(epoll_.get(), &event, 1, -1) != 1) continue;
    if (event.data.u64 == kStop) break;
    const int others = --waiting_;
    Work work;
    const auto session = Find(event.data.u64);
    if (session != nullptr && !session->Handle(event.events, work)) {
      Remove(event.data.u64);
    }
    if (!work.empty()) {
      // One reads on, whatever the methods wait for.
      const bool is_read =
          others > 0 || (reader_count_ < kReadersMax && AddReader());
      if (is_read) {
        RunHere(std::move(work), host_.crew());
      } else {
        for (auto& part : work) host_.crew().Post(std::move(part));
      }
    }
    ++waiting_;
  }
  --waiting_;
}

std::shared_ptr<SocketSessions::Session> SocketSessions::Find(
    std::uint64_t id) {
  std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second;
}

void SocketSessions::Remove(std::uint64_t id) {
  std::scoped_lock lock(mutex_);
  sessions_.erase(id);
}

}  // namespace hearth
