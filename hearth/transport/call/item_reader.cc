#include "hearth/transport/call/item_reader.h"

#include <chrono>
#include <utility>

#include "absl/time/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/object/call_context.h"

namespace hearth {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr absl::Duration kPause = absl::Milliseconds(20);
constexpr std::chrono::milliseconds kLook(100);
// How often one that waits says again what it has: its last word may have been
// overtaken by one of a connection that was broken by then, which its host
// still believes in.
constexpr int kLooksBeforeAskingAgain = 10;

// One thread takes; frames are put in by whoever reads the connection.
class ItemReader {
 public:
  ItemReader(std::uint64_t id, std::shared_ptr<Route> route,
             std::optional<Cancellation> cancellation,
             std::weak_ptr<Conversation> told_by)
      : id_(id),
        route_(std::move(route)),
        cancellation_(std::move(cancellation)),
        told_by_(std::move(told_by)),
        inbox_(std::make_shared<ItemInbox>(limits::kStreamItemsMax,
                                           limits::kStreamBytesMax)) {}

  ~ItemReader() {
    if (conversation_ == nullptr) {  // nobody ever took one
      if (const auto told_by = told_by_.lock()) told_by->DropStream(id_);
      return;
    }
    conversation_->StopTaking(id_);
    if (ended_ && !inbox_->taker.has_item()) return;
    conversation_->DropStream(id_);
  }

  absl::StatusOr<std::optional<Value>> Next() {
    int looks = 0;
    if (conversation_ == nullptr) {
      if (absl::Status opened = Open(false); !opened.ok()) return opened;
    }
    while (true) {
      bool is_broken = false;
      bool is_late = false;
      {
        std::unique_lock lock(inbox_->mutex);
        if (std::optional<Value> item = inbox_->taker.Next()) {
          const bool allow =
              !inbox_->taker.end().has_value() && inbox_->taker.ShouldAllow();
          lock.unlock();
          if (allow) Allow(false);
          return item;
        }
        if (inbox_->taker.end().has_value()) {
          const absl::Status end = *inbox_->taker.end();
          const bool tell = !std::exchange(ended_, true);
          lock.unlock();
          if (tell) Allow(false);  // the host lets go of it
          if (!end.ok()) return end;
          return std::nullopt;
        }
        is_broken = inbox_->is_broken || inbox_->is_missing;
        is_late = !is_broken && inbox_->changed.wait_for(lock, kLook) ==
                                    std::cv_status::timeout;
      }
      if (is_late) {
        if (absl::Status wanted = CheckWanted(); !wanted.ok()) return wanted;
      }
      if (is_broken) {
        if (absl::Status opened = Open(true); !opened.ok()) return opened;
      } else if (is_late && ++looks % kLooksBeforeAskingAgain == 0) {
        Allow(true);
      }
    }
  }

 private:
  // Whether anybody still waits for what comes next.
  absl::Status CheckWanted() const {
    if (InterruptScope::Interrupted()) {
      return Error(Reason::kCallCancelled, "take items: it was interrupted");
    }
    // The call that gave them, and the one that this thread serves.
    const CallContext* current = CallContext::Current();
    if ((cancellation_.has_value() && cancellation_->cancelled()) ||
        (current != nullptr && current->cancelled())) {
      return Error(Reason::kCallCancelled,
                   "take items: their call was cancelled");
    }
    return absl::OkStatus();
  }

  absl::Status Open(bool resume) {
    const absl::Time give_up = absl::Now() + kPatience;
    for (bool fresh = resume;; fresh = true) {
      auto place = route_->Find(fresh, give_up);
      // A name may lead to somebody else by now, who knows nothing of this.
      const Id there = place.ok() ? place->conversation->peer() : Id();
      if (resume &&
          (place.ok() ? there != host_
                      : ReasonOf(place.status()) == Reason::kNameUnknown)) {
        return Error(Reason::kObjectGone,
                     "take items: the process that made them is gone or has "
                     "taken its object away, and the rest of them with it; ask "
                     "for them anew");
      }
      if (place.ok()) {
        host_ = there;
        if (conversation_ != nullptr) conversation_->StopTaking(id_);
        conversation_ = place->conversation;
        {
          std::scoped_lock lock(inbox_->mutex);
          inbox_->is_broken = false;
          inbox_->is_missing = false;
        }
        conversation_->Take(id_, inbox_);
        Allow(resume);
        return absl::OkStatus();
      }
      if (ReasonOf(place.status()) != Reason::kObjectGone ||
          absl::Now() >= give_up) {
        return place.status();
      }
      absl::SleepFor(kPause);
    }
  }

  void Allow(bool resume) {
    proto::Frame frame;
    proto::Credit& credit = *frame.mutable_credit();
    {
      std::scoped_lock lock(inbox_->mutex);
      credit.set_stream(id_);
      credit.set_received(inbox_->taker.received());
      credit.set_more(inbox_->taker.room());
      credit.set_resume(resume);
      inbox_->taker.Allowed();
    }
    conversation_->Send(std::move(frame));
  }

  const std::uint64_t id_;
  const std::shared_ptr<Route> route_;
  const std::optional<Cancellation> cancellation_;
  const std::weak_ptr<Conversation> told_by_;
  const std::shared_ptr<ItemInbox> inbox_;
  std::shared_ptr<Conversation> conversation_;
  Id host_{};  // that makes the items
  bool ended_ = false;
};

}  // namespace

std::shared_ptr<ItemSource> ReadItems(std::uint64_t id,
                                      std::shared_ptr<Route> route,
                                      std::optional<Cancellation> cancellation,
                                      std::weak_ptr<Conversation> told_by) {
  auto reader = std::make_shared<ItemReader>(
      id, std::move(route), std::move(cancellation), std::move(told_by));
  return std::make_shared<ItemSource>([reader] { return reader->Next(); });
}

}  // namespace hearth
