#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hearth/base/id.h"
#include "hearth/object/item_window.h"
#include "hearth/transport/call/attachment.h"
#include "hearth/transport/call/outbox.h"
#include "protos/object.pb.h"

namespace hearth {

class ObjectHost;

// What is left to do once no lock is held; any part of it may block.
using Work = std::vector<std::function<void()>>;

// One connection, as a Conversation needs it.
//
// Threads: Send and Close from any; Poll from one at a time.
class Wire {
 public:
  virtual ~Wire() = default;
  // Never blocks. False: it waits behind what is being written, and goes on its
  // way as soon as somebody polls.
  virtual bool Send(proto::Frame frame, AttachmentPtr attached) = 0;
  // Whether descriptors travel along: what is attached should be shared, then.
  virtual bool carries_descriptors() const { return false; }
  // That no other end has taken yet, nor gRPC for it.
  virtual std::int64_t waiting_bytes() const = 0;
  // Whether whoever waits does the reading; else the wire has threads for it.
  virtual bool is_polled() const { return false; }
  // Handles what happens next, if it does by then.
  virtual void Poll(absl::Time) {}
  virtual void Close() = 0;
};

// The taking end of a stream of items, which outlives the connection.
struct ItemInbox {
  ItemInbox(std::uint64_t window, std::int64_t bytes_max)
      : taker(window, bytes_max) {}
  std::mutex mutex;
  std::condition_variable changed;
  ItemTaker taker;          // under the mutex, as all below
  bool is_broken = false;   // the connection that it came by
  bool is_missing = false;  // items were passed over: ask again
};

// One stream between two processes: calls that this end has made and waits for,
// and the way of the other end's frames to the host.
//
// The thread that waits for an answer reads the connection itself, for all: an
// answer then wakes nobody but its caller. A thread in the background reads
// while nobody waits.
//
// Kind:    resource, shared. Threads: any.
class Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  // A call on its way.
  struct Pending {
    std::uint64_t id = 0;
    bool done = false;
    absl::Status broken;  // not OK: the connection ended before the answer came
    proto::MethodReply reply;
    Attached attached = nullptr;  // to the reply
    std::condition_variable changed;
    // Instead of a thread that waits; called outside of locks, once.
    std::function<void(Pending&)> on_done;
    // It never waits: whoever reads the connection may call it.
    bool is_quick = false;
  };

  explicit Conversation(ObjectHost& host) : host_(host) {}
  ~Conversation();

  // Before anything else. `wire` is let go of by End.
  void Start(std::shared_ptr<Wire> wire);
  // Closes the connection and joins that thread. Not from a callback.
  void End();

  // From the wire.
  void OnFrame(proto::Frame& frame, Work& work);
  // Whether what is attached to the next frame comes in pieces.
  bool in_pieces() const { return pieces_.has_begun(); }
  // With what came beside it, as a descriptor.
  void OnFrame(proto::Frame& frame, Attached attached, Work& work);
  void OnBroken(const absl::Status& why, Work& work);

  // Who the other end is; zero before it has said so.
  Id peer() const;
  bool broken() const { return is_broken_; }
  // Of who connects: says who this end is, and waits until the other has said
  // so. OBJECT_GONE, and ended, where that does not come by the deadline.
  absl::Status Greet(absl::Time deadline);

  void Send(proto::Frame frame, AttachmentPtr attached = nullptr);
  // Makes `attached` such that this connection can carry it, and that nobody
  // can change it any more; a null one is fine. Blocks as long as a copy takes.
  absl::Status Prepare(const std::shared_ptr<Attachment>& attached) const;
  // Until less than limits::kOnewayBytesMax waits to be written, or the
  // connection is broken. False at the deadline.
  bool WaitForRoom(absl::Time deadline);
  // Sends `call` with an id; the answer completes `pending`.
  void Begin(proto::MethodCall call, const std::shared_ptr<Pending>& pending,
             AttachmentPtr attached = nullptr);
  // False at the deadline; then it is forgotten, and the host told.
  bool Wait(Pending& pending, absl::Time deadline);
  // Nobody waits any more: `why` is what on_done sees.
  void Abandon(std::uint64_t id, const absl::Status& why);

  void Take(std::uint64_t stream, const std::shared_ptr<ItemInbox>& inbox);
  void StopTaking(std::uint64_t stream);
  // Tells the host that makes its items that nobody wants any more of them.
  void DropStream(std::uint64_t stream);

 private:
  // Starts the thread that reads while nobody waits.
  void ReadInBackground();
  // False: the connection broke before, or the deadline passed.
  bool WaitForPeer(absl::Time deadline);
  void OnReply(proto::MethodReply& reply, Attached attached, Work& work);
  void OnItems(proto::Items& items, const Attached& attached);
  void Background();
  void HandOver();

  ObjectHost& host_;
  std::shared_ptr<Wire> wire_;
  std::atomic<bool> is_broken_ = false;
  AttachmentPieces pieces_;  // whoever hands frames in

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable peer_known_;
  std::condition_variable background_wakes_;
  Id peer_;
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, std::shared_ptr<Pending>> pending_;
  std::list<Pending*> waiters_;  // threads that wait for an answer
  std::map<std::uint64_t, std::weak_ptr<ItemInbox>> inboxes_;
  bool polling_ = false;
  int asynchronous_ = 0;  // calls and streams that no thread waits for
  bool kicked_ = false;   // something waits to be written
  std::uint64_t activity_ = 0;
  bool ending_ = false;
  std::thread background_;
};

}  // namespace hearth
