#include "hearth/transport/call/conversation.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/version.h"
#include "hearth/object/call_context.h"
#include "hearth/transport/call/object_host.h"
#include "hearth/transport/call/value_codec.h"
#include "hearth/transport/control/codec.h"

namespace hearth {
namespace {

// While calls are made one after the other, the background stays away from the
// connection: it would only take the answers from under those who wait.
constexpr std::chrono::milliseconds kStayAway(1);
constexpr std::chrono::milliseconds kLookAgain(5);
constexpr absl::Duration kRoomPause = absl::Milliseconds(1);
constexpr absl::Duration kPollAtMost = absl::Seconds(10);
// How soon a wait that may be interrupted looks whether it was.
constexpr absl::Duration kAskAgain = absl::Milliseconds(100);

}  // namespace

Conversation::~Conversation() {
  // Its own last words: the thread holds it until then.
  if (background_.joinable()) background_.detach();
}

void Conversation::Start(std::shared_ptr<Wire> wire) {
  wire_ = std::move(wire);
}

void Conversation::ReadInBackground() {
  background_ =
      std::thread([self = shared_from_this()] { self->Background(); });
}

void Conversation::End() {
  {
    std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  wire_->Close();
  background_wakes_.notify_all();
  if (background_.joinable()) {
    if (background_.get_id() == std::this_thread::get_id()) {
      background_.detach();
    } else {
      background_.join();
    }
  }
}

Id Conversation::peer() const {
  std::scoped_lock lock(mutex_);
  return peer_;
}

// -------------------------------------------------------------- what comes in

void Conversation::OnFrame(proto::Frame& frame, Work& work) {
  if (frame.has_piece()) {
    return pieces_.Add(frame.piece().total(), frame.piece().data());
  }
  OnFrame(frame,
          frame.attached_bytes() == 0 ? Attached(nullptr)
                                      : pieces_.Take(frame.attached_bytes()),
          work);
}

void Conversation::OnFrame(proto::Frame& frame, Attached attached, Work& work) {
  switch (frame.frame_case()) {
    case proto::Frame::kCall:
      host_.OnCall(shared_from_this(), std::move(*frame.mutable_call()),
                   std::move(attached), work);
      break;
    case proto::Frame::kReply:
      OnReply(*frame.mutable_reply(), std::move(attached), work);
      break;
    case proto::Frame::kCancel:
      host_.OnCancel(*this, frame.cancel().id(), work);
      break;
    case proto::Frame::kItems:
      OnItems(*frame.mutable_items(), attached);
      break;
    case proto::Frame::kCredit:
      host_.OnCredit(shared_from_this(), frame.credit(), work);
      break;
    case proto::Frame::kHello: {
      {
        std::scoped_lock lock(mutex_);
        if (!peer_.zero()) return;
        peer_ = FromProto(frame.hello().session());
      }
      proto::Frame welcome;
      host_.OnHello(shared_from_this(), *welcome.mutable_welcome());
      Send(std::move(welcome));
      break;
    }
    case proto::Frame::kWelcome: {
      {
        std::scoped_lock lock(mutex_);
        peer_ = FromProto(frame.welcome().host());
      }
      peer_known_.notify_all();
      break;
    }
    case proto::Frame::kBye:
      host_.OnBye(*this, work);
      break;
    case proto::Frame::kPiece:
    case proto::Frame::FRAME_NOT_SET:
      break;
  }
}

void Conversation::OnReply(proto::MethodReply& reply, Attached attached,
                           Work& work) {
  std::shared_ptr<Pending> pending;
  {
    std::scoped_lock lock(mutex_);
    const auto found = pending_.find(reply.id());
    if (found != pending_.end()) {
      pending = std::move(found->second);
      pending_.erase(found);
      pending->reply = std::move(reply);
      pending->attached = std::move(attached);
      pending->done = true;
      if (pending->on_done != nullptr) --asynchronous_;
      pending->changed.notify_one();
    }
  }
  if (pending == nullptr) {  // given up meanwhile
    if (reply.result().has_stream()) DropStream(reply.result().stream());
    for (const proto::Value& value : reply.results()) {
      if (value.has_stream()) DropStream(value.stream());
    }
    return;
  }
  if (pending->on_done == nullptr) return;
  if (pending->is_quick) return pending->on_done(*pending);
  // It may make the next call, whose answer this thread would have to read.
  work.push_back([pending] { pending->on_done(*pending); });
}

void Conversation::OnItems(proto::Items& items, const Attached& attached) {
  std::shared_ptr<ItemInbox> inbox;
  {
    std::scoped_lock lock(mutex_);
    const auto found = inboxes_.find(items.stream());
    if (found != inboxes_.end()) inbox = found->second.lock();
  }
  if (inbox == nullptr) return;
  absl::StatusOr<std::vector<Value>> values =
      FromProto(*items.mutable_items(), attached);
  {
    std::scoped_lock lock(inbox->mutex);
    if (!values.ok()) {
      inbox->taker.End(values.status());
    } else {
      std::uint64_t number = items.first();
      for (Value& value : *values) {
        if (!inbox->taker.Take(number++, std::move(value))) {
          inbox->is_missing = true;
          break;
        }
      }
      if (items.end() && !inbox->is_missing) {
        inbox->taker.End(items.has_error() ? FromProto(items.error())
                                           : absl::OkStatus());
      }
    }
  }
  inbox->changed.notify_all();
}

void Conversation::OnBroken(const absl::Status& why, Work& work) {
  std::vector<std::shared_ptr<Pending>> lost;
  std::vector<std::shared_ptr<ItemInbox>> inboxes;
  {
    std::scoped_lock lock(mutex_);
    if (is_broken_.exchange(true)) return;
    for (auto& [id, pending] : pending_) {
      pending->broken = why;
      pending->done = true;
      pending->changed.notify_one();
      lost.push_back(std::move(pending));
    }
    pending_.clear();
    asynchronous_ = 0;
    for (auto& [id, inbox] : inboxes_) {
      if (auto alive = inbox.lock()) inboxes.push_back(std::move(alive));
    }
    inboxes_.clear();
  }
  peer_known_.notify_all();
  background_wakes_.notify_all();
  for (const auto& inbox : inboxes) {
    {
      std::scoped_lock lock(inbox->mutex);
      inbox->is_broken = true;
    }
    inbox->changed.notify_all();
  }
  for (const auto& pending : lost) {
    if (pending->on_done != nullptr) {
      work.push_back([pending] { pending->on_done(*pending); });
    }
  }
  host_.OnBroken(*this, work);
}

// ------------------------------------------------------------- what goes out

absl::Status Conversation::Prepare(
    const std::shared_ptr<Attachment>& attached) const {
  if (attached == nullptr) return absl::OkStatus();
  if (!wire_->carries_descriptors() && !attached->is_borrowed()) {
    return absl::OkStatus();
  }
  return attached->Share();
}

void Conversation::Send(proto::Frame frame, AttachmentPtr attached) {
  if (wire_->Send(std::move(frame), std::move(attached)) ||
      !wire_->is_polled()) {
    return;
  }
  std::scoped_lock lock(mutex_);
  if (polling_) return;
  kicked_ = true;
  background_wakes_.notify_one();
}

bool Conversation::WaitForRoom(absl::Time deadline) {
  while (wire_->waiting_bytes() >= limits::kOnewayBytesMax && !is_broken_) {
    if (absl::Now() >= deadline) return false;
    absl::SleepFor(kRoomPause);  // who reads writes, too
  }
  return true;
}

void Conversation::Begin(proto::MethodCall call,
                         const std::shared_ptr<Pending>& pending,
                         AttachmentPtr attached) {
  bool is_broken = false;
  {
    std::scoped_lock lock(mutex_);
    is_broken = is_broken_;
    if (is_broken) {
      pending->broken = Error(Reason::kObjectGone, "the connection broke");
      pending->done = true;
    } else {
      pending->id = next_id_++;
      if (!call.oneway()) {
        pending_[pending->id] = pending;
        if (pending->on_done != nullptr && asynchronous_++ == 0) {
          background_wakes_.notify_one();
        }
      }
    }
  }
  if (is_broken) {
    if (pending->on_done != nullptr) pending->on_done(*pending);
    return;
  }
  proto::Frame frame;
  call.set_id(pending->id);
  *frame.mutable_call() = std::move(call);
  Send(std::move(frame), std::move(attached));
}

void Conversation::Abandon(std::uint64_t id, const absl::Status& why) {
  std::shared_ptr<Pending> pending;
  {
    std::scoped_lock lock(mutex_);
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    pending = std::move(found->second);
    pending_.erase(found);
    pending->reply.Clear();
    *pending->reply.mutable_error() = ToCallError(why);
    pending->done = true;
    if (pending->on_done != nullptr) --asynchronous_;
    pending->changed.notify_one();
    kicked_ = true;  // a thread that reads for others may have to leave
  }
  proto::Frame frame;
  frame.mutable_cancel()->set_id(id);
  Send(std::move(frame));
  if (pending->on_done != nullptr) pending->on_done(*pending);
}

void Conversation::Take(std::uint64_t stream,
                        const std::shared_ptr<ItemInbox>& inbox) {
  std::scoped_lock lock(mutex_);
  if (is_broken_) {
    std::scoped_lock inner(inbox->mutex);
    inbox->is_broken = true;
    return;
  }
  inboxes_[stream] = inbox;
  ++asynchronous_;
  background_wakes_.notify_one();
}

void Conversation::StopTaking(std::uint64_t stream) {
  std::scoped_lock lock(mutex_);
  if (inboxes_.erase(stream) > 0 && asynchronous_ > 0) --asynchronous_;
}

void Conversation::DropStream(std::uint64_t stream) {
  proto::Frame frame;
  frame.mutable_credit()->set_stream(stream);
  frame.mutable_credit()->set_drop(true);
  Send(std::move(frame));
}

absl::Status Conversation::Greet(absl::Time deadline) {
  proto::Frame hello;
  hello.mutable_hello()->set_version(kVersion);
  *hello.mutable_hello()->mutable_session() = ToProto(host_.id());
  Send(std::move(hello));
  ReadInBackground();
  if (WaitForPeer(deadline)) return absl::OkStatus();
  End();
  return Error(Reason::kObjectGone, "nobody answers there");
}

bool Conversation::WaitForPeer(absl::Time deadline) {
  std::unique_lock lock(mutex_);
  while (peer_.zero() && !is_broken_) {
    const absl::Time now = absl::Now();
    if (now >= deadline) return false;
    if (wire_->is_polled() && !polling_) {
      polling_ = true;
      lock.unlock();
      wire_->Poll(deadline);
      lock.lock();
      polling_ = false;
    } else {
      peer_known_.wait_for(lock, absl::ToChronoMilliseconds(deadline - now));
    }
  }
  return !is_broken_;
}

// ------------------------------------------------------------- who reads when

bool Conversation::Wait(Pending& pending, absl::Time deadline) {
  std::unique_lock lock(mutex_);
  const bool is_polled = wire_->is_polled();
  const bool is_endless = deadline == absl::InfiniteFuture();
  const bool asks = InterruptScope::Any();
  const absl::Duration at_most = asks ? kAskAgain : kPollAtMost;
  ++activity_;
  const auto place = waiters_.insert(waiters_.end(), &pending);
  while (!pending.done) {
    const absl::Time now =
        is_endless && !asks ? absl::InfinitePast() : absl::Now();
    if (now >= deadline) break;
    if (is_polled && !polling_ && !is_broken_) {
      polling_ = true;
      lock.unlock();
      wire_->Poll(is_endless || asks ? std::min(deadline, absl::Now() + at_most)
                                     : deadline);
      lock.lock();
      polling_ = false;
    } else if (is_endless && !asks) {
      pending.changed.wait(lock);
    } else {
      const absl::Duration left = deadline - now;
      pending.changed.wait_for(
          lock,
          absl::ToChronoMicroseconds(asks ? std::min(left, at_most) : left));
    }
    if (asks && !pending.done && absl::Now() - now >= kAskAgain) {
      lock.unlock();
      const bool is_interrupted = InterruptScope::Interrupted();
      lock.lock();
      if (is_interrupted) break;
    }
  }
  waiters_.erase(place);
  if (is_polled && !polling_) HandOver();
  if (pending.done) return true;
  pending_.erase(pending.id);
  lock.unlock();
  proto::Frame frame;
  frame.mutable_cancel()->set_id(pending.id);
  Send(std::move(frame));
  return false;
}

void Conversation::HandOver() {
  if (!waiters_.empty()) {
    waiters_.front()->changed.notify_one();
  } else if (asynchronous_ > 0 || kicked_) {
    background_wakes_.notify_one();
  }
}

void Conversation::Background() {
  std::unique_lock lock(mutex_);
  std::uint64_t seen = activity_;
  bool is_hot = false;
  while (!is_broken_) {
    const bool is_wanted = asynchronous_ > 0 || kicked_ || ending_ || !is_hot;
    if (polling_ || !waiters_.empty() || !is_wanted) {
      const bool is_read = polling_ || !waiters_.empty();
      background_wakes_.wait_for(lock, is_read ? kLookAgain : kStayAway);
      is_hot = std::exchange(seen, activity_) != activity_;
      continue;
    }
    polling_ = true;
    kicked_ = false;
    lock.unlock();
    wire_->Poll(absl::Now() + kPollAtMost);
    lock.lock();
    polling_ = false;
    is_hot = std::exchange(seen, activity_) != activity_;
    if (!waiters_.empty()) waiters_.front()->changed.notify_one();
  }
}

}  // namespace hearth
