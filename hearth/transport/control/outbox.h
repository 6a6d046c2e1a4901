#pragma once

#include <deque>
#include <utility>

#include "hearth/base/mutex.h"

namespace hearth {

// The write side of a stream: messages wait here while one is on its way, since
// gRPC takes one write at a time.
//
// Add may be called under a lock, so that messages keep the order in which they
// were decided; Pump, which calls into gRPC, after it was released.
//
// `Stream` is a reactor with StartWrite(const Message*).
//
// Threads: Add, Pump and Close from any; Written from OnWriteDone.
template <class Stream, class Message>
class StreamOutbox {
 public:
  explicit StreamOutbox(Stream& stream) : stream_(stream) {}

  void Add(Message message) {
    MutexLock lock(mutex_);
    if (!closed_) waiting_.push_back(std::move(message));
  }

  // Begins the next write unless one is on its way.
  void Pump() {
    const Message* next = nullptr;
    {
      MutexLock lock(mutex_);
      if (writing_ || closed_ || waiting_.empty()) return;
      writing_ = true;
      next = &waiting_.front();  // a deque keeps it in place while others join
    }
    stream_.StartWrite(next);
  }

  // The write that was on its way has ended; begins the next one. True once
  // the outbox is closed and nothing is on its way any more.
  bool Written(bool ok) {
    {
      MutexLock lock(mutex_);
      waiting_.pop_front();
      writing_ = false;
      if (!ok) closed_ = true;
      if (closed_ || (closing_ && waiting_.empty())) {
        closed_ = true;
        return true;
      }
    }
    Pump();
    return false;
  }

  // Nothing more is begun. True when nothing is on its way: the stream may be
  // finished now; otherwise once Written has said so.
  bool Close() {
    MutexLock lock(mutex_);
    closed_ = true;
    return !writing_;
  }

  // As Close, once everything that waits has been written.
  bool CloseWhenWritten() {
    MutexLock lock(mutex_);
    closing_ = true;
    if (waiting_.empty()) closed_ = true;
    return waiting_.empty();
  }

 private:
  Stream& stream_;
  Mutex mutex_;
  std::deque<Message> waiting_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hearth
