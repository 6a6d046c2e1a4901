#include "client/gateway/http_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "hearth/base/limits.h"

namespace hearth::client {

HttpConnection::HttpConnection(UniqueFd fd, std::size_t body_bytes_max,
                               HttpTimes times, absl::Time now)
    : fd_(std::move(fd)),
      times_(times),
      reader_(body_bytes_max),
      deadline_(now + times.head) {}

HttpConnection::~HttpConnection() {
  if (reply_ != nullptr) reply_->Gone();
}

short HttpConnection::Events() const {
  if (lingering_) return POLLIN;
  if (sent_ < out_.size()) return POLLOUT;
  if (reply_ == nullptr) return POLLIN;
  return half_closed_ ? 0 : POLLRDHUP;
}

bool HttpConnection::OnEvents(short events, const Handlers& handlers,
                              absl::Time now) {
  if ((events & (POLLERR | POLLNVAL)) != 0) return false;
  if (lingering_) {
    std::array<char, 65536> dropped;
    const ssize_t count = recv(fd_.get(), dropped.data(), dropped.size(), 0);
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
  }
  if ((events & POLLOUT) != 0) {
    if (!Write(now)) return false;
    return OnReply(handlers, now);
  }
  if (reply_ != nullptr) {
    if ((events & POLLHUP) != 0) return false;
    if ((events & POLLRDHUP) != 0 && !half_closed_) {
      half_closed_ = true;
      deadline_ = AnswerDeadline(now);
    }
    return true;
  }
  if ((events & (POLLIN | POLLHUP)) != 0) return Read(handlers, now);
  return true;
}

bool HttpConnection::Read(const Handlers& handlers, absl::Time now) {
  std::array<char, 65536> bytes;
  const ssize_t count = recv(fd_.get(), bytes.data(), bytes.size(), 0);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  if (count == 0) return false;
  if (reader_.idle()) deadline_ = now + times_.head;
  reader_.Feed({bytes.data(), static_cast<std::size_t>(count)});
  return Advance(handlers, now);
}

// What the reader has now: nothing, a head, a request.
bool HttpConnection::Advance(const Handlers& handlers, absl::Time now) {
  using State = HttpReader::State;
  is_head_ = reader_.request().method == "HEAD";
  if (reader_.state() == State::kRefused) {
    return Answer(reader_.refusal(), now);
  }
  if (reader_.state() == State::kHead) return true;
  if (!admitted_) {
    if (auto refusal = handlers.admit(reader_.request())) {
      return Answer(*refusal, now);
    }
    admitted_ = true;
    deadline_ = now + times_.body;
    if (reader_.state() == State::kBody && reader_.request().expects_continue) {
      out_ = "HTTP/1.1 100 Continue\r\n\r\n";
      return Write(now);
    }
  }
  if (reader_.state() == State::kBody) return true;
  admitted_ = false;
  reply_ = handlers.begin(reader_.Take());
  deadline_ = AnswerDeadline(now);
  if (reply_ != nullptr) return true;
  HttpAnswer busy = ErrorAnswer(
      503, "queue-full",
      "serve a request: as many calls run through this gateway as it allows; "
      "try again later");
  busy.headers = {{"Retry-After", "1"}};
  return Answer(busy, now);
}

bool HttpConnection::OnReply(const Handlers& handlers, absl::Time now) {
  // Back-pressure: nothing more is taken before what was taken is written.
  while (reply_ != nullptr && sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
    if (reply_->TakeInto(out_)) {
      closing_ = closing_ || !reply_->keep_alive();
      reply_ = nullptr;
    }
    if (out_.empty() && reply_ != nullptr) return true;
    if (!Write(now)) return false;
  }
  // The next request may have come already.
  const bool is_free = reply_ == nullptr && out_.empty() && !closing_;
  return !is_free || Advance(handlers, now);
}

bool HttpConnection::Answer(const HttpAnswer& answer, absl::Time now) {
  closing_ = true;  // what comes after it can't be told from its body
  out_ = FormatHead(answer, std::ssize(answer.body), false, false);
  if (!is_head_) out_ += answer.body;
  sent_ = 0;
  return Write(now);
}

bool HttpConnection::Write(absl::Time now) {
  while (sent_ < out_.size()) {
    const ssize_t count =
        send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN) return false;
    deadline_ = now + times_.write;
    if (count < 0) return true;
    sent_ += static_cast<std::size_t>(count);
  }
  out_.clear();
  sent_ = 0;
  if (closing_ && reply_ == nullptr) return Linger(now);
  if (reply_ != nullptr) {
    deadline_ = AnswerDeadline(now);
  } else {
    deadline_ = now + (admitted_ ? times_.body : times_.idle);
  }
  return true;
}

// Who sends no more may still read (RFC 9112, 9.6), or may have hung up: that
// looks the same until something is written to him.
absl::Time HttpConnection::AnswerDeadline(absl::Time now) const {
  return half_closed_ ? now + times_.half_closed : absl::InfiniteFuture();
}

// A close with bytes unread would be a reset, and might overtake the answer.
bool HttpConnection::Linger(absl::Time now) {
  lingering_ = true;
  deadline_ = now + times_.linger;
  return shutdown(fd_.get(), SHUT_WR) == 0;
}

bool HttpConnection::OnDeadline(absl::Time now) {
  const bool is_reading = reply_ == nullptr && !closing_ && out_.empty();
  if (!is_reading || reader_.idle()) return false;
  return Answer(ErrorAnswer(408, "deadline-exceeded",
                            "read the request: it did not come in time"),
                now);
}

void HttpConnection::OnStop() {
  if (reply_ == nullptr || !out_.empty()) return;
  if (!reply_->SendLast(
          ErrorAnswer(503, "cluster-ended",
                      "answer a request: the gateway was stopped while it ran; "
                      "whether it was done is not known"))) {
    return;
  }
  reply_->TakeInto(out_);
  [[maybe_unused]] const ssize_t count =
      send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
}

}  // namespace hearth::client
