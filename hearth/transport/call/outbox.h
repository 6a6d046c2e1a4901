#pragma once

#include <cstdint>

#include "hearth/base/limits.h"
#include "protos/object.pb.h"

namespace hearth {

// Frames that wait to be written, and go as messages of a bounded size: what
// is ready together goes together, but never more than the other end takes.
//
// Kind:    value. Threads: one at a time.
class Outbox {
 public:
  void Add(proto::Frame frame) {
    bytes_ += static_cast<std::int64_t>(frame.ByteSizeLong());
    *waiting_.add_frames() = std::move(frame);
  }
  bool empty() const { return waiting_.frames_size() == 0; }
  std::int64_t bytes() const { return bytes_; }

  // The next message; requires that there is something.
  void Take(proto::Envelope& message) {
    message.Clear();
    if (bytes_ <= limits::kEnvelopeBytesMax) {
      message.Swap(&waiting_);
      bytes_ = 0;
      return;
    }
    // The first one goes in any case: alone, it is no larger than a call may
    // be.
    std::int64_t taken = 0;
    int count = 0;
    while (count < waiting_.frames_size()) {
      const auto more =
          static_cast<std::int64_t>(waiting_.frames(count).ByteSizeLong());
      if (count > 0 && taken + more > limits::kEnvelopeBytesMax) break;
      message.add_frames()->Swap(waiting_.mutable_frames(count));
      taken += more;
      ++count;
    }
    waiting_.mutable_frames()->DeleteSubrange(0, count);
    bytes_ -= taken;
  }

 private:
  proto::Envelope waiting_;
  std::int64_t bytes_ = 0;
};

}  // namespace hearth
