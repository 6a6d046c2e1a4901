#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hearth/base/unique_fd.h"
#include "hearth/transport/call/conversation.h"
#include "hearth/transport/call/outbox.h"

namespace hearth {

// What a connection without gRPC begins with. Its first byte is none of
// HTTP/2's, nor of TLS's: who accepts looks at it to tell them apart.
inline constexpr char kGreeting[] = "HRTCALL1";
inline constexpr std::size_t kGreetingBytes = sizeof(kGreeting) - 1;

// The messages of protos/object.proto on a connected stream socket, each behind
// its length in four bytes, little-endian (docs/formats.md). Over a Unix socket
// descriptors come along: those of a message with its first byte.
//
// Kind:    resource; its destructor closes the socket.
// Threads: Send, Flush and Close from any; Read from one at a time.
class FrameSocket {
 public:
  // What the other end is: who connected greets, who accepted is greeted.
  enum class Role { kConnected, kAccepted };
  // `fd` does not block.
  FrameSocket(UniqueFd fd, Role role, bool carries_descriptors);

  int fd() const { return fd_.get(); }
  bool carries_descriptors() const { return carries_descriptors_; }

  // Queues it, and writes what the kernel takes. False: more waits, for Flush
  // once the socket can be written to.
  bool Send(proto::Frame frame, AttachmentPtr attached);
  bool Flush();
  bool is_stuck() const { return is_stuck_; }
  std::int64_t waiting_bytes() const;
  // The next Read finds the end. What waits to be written is dropped.
  void Close();

  // Hands what has come to `conversation`. False: that was all, or nonsense.
  bool Read(Conversation& conversation, Work& work);

 private:
  bool Write();
  ssize_t SendSome();
  bool ReceiveSome(bool& is_drained);
  bool ReadMessages(Conversation& conversation, Work& work);
  bool Hand(proto::Envelope& message, Conversation& conversation, Work& work);

  const UniqueFd fd_;
  const bool carries_descriptors_;
  std::atomic<bool> is_stuck_ = false;

  mutable std::mutex mutex_;  // guards what is written
  Outbox waiting_;
  bool is_closed_ = false;
  proto::Envelope outgoing_;
  std::string written_;  // the message under way
  std::size_t written_to_ = 0;
  std::vector<AttachmentPtr> beside_;  // it, not sent yet

  // Of whoever reads:
  bool is_greeted_;
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<char, Free> read_;
  std::size_t room_ = 0;
  std::size_t begin_ = 0;  // of what was read and not handed in
  std::size_t end_ = 0;
  proto::Envelope incoming_;
  std::deque<UniqueFd> descriptors_;
};

}  // namespace hearth
