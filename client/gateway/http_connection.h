#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "client/gateway/http_message.h"
#include "client/gateway/http_reply.h"
#include "hearth/base/unique_fd.h"

namespace hearth::client {

// How long a client may take for what it does.
struct HttpTimes {
  absl::Duration head = absl::Seconds(10);  // from its first byte to its end
  absl::Duration body = absl::Seconds(60);
  absl::Duration idle = absl::Seconds(60);   // between two requests
  absl::Duration write = absl::Seconds(30);  // without taking anything
  absl::Duration linger = absl::Seconds(2);  // to read a refusal
  // To be answered, for who sends no more: he may have gone altogether.
  absl::Duration half_closed = absl::Seconds(5);
};

// One client's connection: reads requests, writes answers, never blocks.
//
// Kind:    resource. Threads: the server's one.
// Bound:   limits::kHttpHeadBytesMax and a socket's buffer for who was not let
//          in; a body and an answer for who was.
class HttpConnection {
 public:
  struct Handlers {
    // None for who may come in.
    std::function<std::optional<HttpAnswer>(const HttpRequest&)> admit;
    // Begins to answer; null where there are too many already.
    std::function<std::shared_ptr<HttpReply>(HttpRequest)> begin;
  };

  HttpConnection(UniqueFd fd, std::size_t body_bytes_max, HttpTimes times,
                 absl::Time now);
  ~HttpConnection();

  int fd() const { return fd_.get(); }
  // What to wait for, as poll() says it, and until when.
  short Events() const;
  absl::Time deadline() const { return deadline_; }
  // It has nothing but a part of a head: others may have its place.
  bool IsStranger() const {
    return !admitted_ && reply_ == nullptr && out_.empty();
  }

  // Each is false once the connection can be closed.
  bool OnEvents(short events, const Handlers& handlers, absl::Time now);
  bool OnReply(const Handlers& handlers, absl::Time now);
  bool OnDeadline(absl::Time now);
  // Tells who still waits for an answer that there will be none, if he has
  // nothing of it yet. What is left to do is to destroy it.
  void OnStop();

 private:
  bool Read(const Handlers& handlers, absl::Time now);
  bool Advance(const Handlers& handlers, absl::Time now);
  bool Answer(const HttpAnswer& answer, absl::Time now);
  bool Write(absl::Time now);
  bool Linger(absl::Time now);
  absl::Time AnswerDeadline(absl::Time now) const;

  UniqueFd fd_;
  const HttpTimes times_;
  HttpReader reader_;
  bool admitted_ = false;             // what is being read
  std::shared_ptr<HttpReply> reply_;  // while it is being answered
  std::string out_;
  std::size_t sent_ = 0;
  bool is_head_ = false;      // the answer has no body
  bool half_closed_ = false;  // the client sends no more
  bool closing_ = false;      // once `out_` is written
  bool lingering_ = false;    // until the client has read it
  absl::Time deadline_;
};

}  // namespace hearth::client
