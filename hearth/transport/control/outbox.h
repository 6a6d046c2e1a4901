#pragma once

#include <deque>
#include <utility>

#include "hearth/base/mutex.h"

namespace hearth {

// The write side of a stream: messages wait here while one is on its way, since
// gRPC takes one write at a time.
//
// `Stream` is a server or client bidi reactor with StartWrite(const Message*).
//
// Threads: Send and Close from any; Written from the reactor's OnWriteDone.
// Order:   as sent.
template <class Stream, class Message>
class Outbox {
 public:
  explicit Outbox(Stream& stream) : stream_(stream) {}

  void Send(Message message) {
    const Message* first = nullptr;
    {
      MutexLock lock(mutex_);
      if (closed_) return;
      waiting_.push_back(std::move(message));
      if (writing_) return;
      writing_ = true;
      first = &waiting_.front();
    }
    stream_.StartWrite(first);
  }

  // The write that was on its way has ended: begins the next one. True once the
  // outbox is closed and nothing is on its way any more.
  bool Written(bool ok) {
    const Message* next = nullptr;
    {
      MutexLock lock(mutex_);
      waiting_.pop_front();
      if (!ok) closed_ = true;
      if (closed_) waiting_.clear();
      if (waiting_.empty()) {
        writing_ = false;
        return closed_;
      }
      next = &waiting_.front();  // a deque keeps it in place while others join
    }
    stream_.StartWrite(next);
    return false;
  }

  // Nothing more is begun. True when nothing is on its way: the stream may be
  // finished now; otherwise once Written has said so.
  bool Close() {
    MutexLock lock(mutex_);
    closed_ = true;
    return !writing_;
  }

 private:
  Stream& stream_;
  Mutex mutex_;
  std::deque<Message> waiting_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hearth
