#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "hearth/base/limits.h"
#include "hearth/transport/call/attachment.h"
#include "protos/object.pb.h"

namespace hearth {

using AttachmentPtr = std::shared_ptr<const Attachment>;

// Frames that wait to be written, and go as messages of a bounded size: what
// is ready together goes together, but never more than the other end takes.
//
// What is attached to a frame goes beside the message where that is asked for
// and it is shared; else in pieces before it, which are copied only when it is
// their turn.
//
// Kind:    value. Threads: one at a time.
class Outbox {
 public:
  void Add(proto::Frame frame, AttachmentPtr attached = nullptr) {
    const auto bytes = static_cast<std::int64_t>(frame.ByteSizeLong());
    const std::int64_t beside = attached == nullptr ? 0 : attached->bytes();
    if (attached != nullptr) {
      frame.set_attached_bytes(static_cast<std::uint64_t>(beside));
    }
    bytes_ += bytes + beside;
    waiting_.push_back({std::move(frame), std::move(attached), bytes});
  }
  bool empty() const { return waiting_.empty(); }
  std::int64_t bytes() const { return bytes_; }

  // The next message; requires that there is something. `beside` gets what is
  // attached to its frames, in their order.
  void Take(proto::Envelope& message, std::vector<AttachmentPtr>* beside) {
    message.Clear();
    const auto goes_beside = [&](const AttachmentPtr& attached) {
      return beside != nullptr && attached->is_shared();
    };
    if (waiting_.front().attached != nullptr &&
        !goes_beside(waiting_.front().attached) && TakePiece(message)) {
      return;
    }
    // The first one goes in any case: alone, it is no larger than a call may
    // be.
    std::int64_t taken = 0;
    while (!waiting_.empty()) {
      Waiting& first = waiting_.front();
      const bool is_first = message.frames_size() == 0;
      if (!is_first && taken + first.bytes > limits::kEnvelopeBytesMax) break;
      if (first.attached != nullptr) {
        if (!goes_beside(first.attached)) {
          if (!is_first) break;
        } else {
          if (std::ssize(*beside) == limits::kDescriptorsBesideMax) break;
          bytes_ -= first.attached->bytes();
          beside->push_back(std::move(first.attached));
        }
      }
      *message.add_frames() = std::move(first.frame);
      taken += first.bytes;
      waiting_.pop_front();
    }
    bytes_ -= taken;
    pieces_ = 0;
  }

 private:
  struct Waiting {
    proto::Frame frame;
    AttachmentPtr attached;
    std::int64_t bytes = 0;  // of the frame
  };

  bool TakePiece(proto::Envelope& message) {
    const AttachmentPtr& attached = waiting_.front().attached;
    if (pieces_ == attached->bytes()) return false;
    const std::int64_t bytes =
        std::min(attached->bytes() - pieces_, limits::kPieceBytesMax);
    proto::AttachedPiece& piece = *message.add_frames()->mutable_piece();
    if (pieces_ == 0) {
      piece.set_total(static_cast<std::uint64_t>(attached->bytes()));
    }
    attached->Append(pieces_, bytes, *piece.mutable_data());
    pieces_ += bytes;
    bytes_ -= bytes;
    return true;
  }

  std::deque<Waiting> waiting_;
  std::int64_t bytes_ = 0;
  std::int64_t pieces_ = 0;  // of what is attached to the first: gone already
};

}  // namespace hearth
