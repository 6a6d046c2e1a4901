#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>

#include "absl/strings/string_view.h"
#include "client/gateway/http_message.h"

namespace hearth::client {

// The answer to one request, on its way from the thread that makes it to the
// connection that it goes out by.
//
// Kind:    resource, shared by the two.
// Threads: Send to OnGone from the one that makes it, the rest from the
//          connection's.
class HttpReply {
 public:
  // `wake` is called, from any thread, when there is something to take.
  HttpReply(const HttpRequest& request, std::function<void()> wake)
      : keep_alive_(request.keep_alive),
        chunked_(request.may_be_chunked),
        is_head_(request.method == "HEAD"),
        wake_(std::move(wake)) {}

  // The whole of it.
  void Send(const HttpAnswer& answer);
  // Or bit by bit: Begin, Write as often as it takes, End.
  void Begin(const HttpAnswer& head);
  // Waits until there is room for it; false once the client is gone.
  bool Write(absl::string_view text);
  void End();
  // `hook` is called once the client is gone; at once if it is already.
  void OnGone(std::function<void()> hook);

  // Instead of what would come; false where some of that has come already.
  // Nothing comes after it, on this connection neither.
  bool SendLast(const HttpAnswer& answer);
  // Adds what is there to `out`; true once that was all of it.
  bool TakeInto(std::string& out);
  bool keep_alive() const;
  void Gone();

 private:
  bool Put(const HttpAnswer& answer, bool is_last);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool keep_alive_;
  const bool chunked_;
  const bool is_head_;  // asks for no body
  std::string pending_;
  bool began_ = false;
  bool ended_ = false;
  bool gone_ = false;
  std::function<void()> on_gone_;
  const std::function<void()> wake_;
};

}  // namespace hearth::client
