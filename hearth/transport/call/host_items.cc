// Streams of items, at the end that makes them.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/transport/call/host_job.h"
#include "hearth/transport/call/object_host.h"
#include "hearth/transport/call/value_codec.h"

namespace hearth {
namespace {

constexpr std::int64_t kFrameBytes = 64 * limits::kKiB;
constexpr int kItemsAtOnce = 512;
// Items that take longer than this to make are sent one by one.
constexpr absl::Duration kSlowItem = absl::Milliseconds(1);

// Who made an item may change its arrays before it is sent.
void OwnArrays(Value& item) {
  if (auto* array = item.get<ValueArray>()) {
    if (array->bytes.is_borrowed()) {
      array->bytes = ArrayBytes(std::move(array->bytes).Take());
    }
  } else if (auto* list = item.get<Value::List>()) {
    for (Value& one : *list) OwnArrays(one);
  } else if (auto* tuple = item.get<ValueTuple>()) {
    for (Value& one : tuple->items) OwnArrays(one);
  } else if (auto* map = item.get<Value::Map>()) {
    for (auto& [key, mapped] : *map) OwnArrays(mapped);
  } else if (auto* of = item.get<ValueStruct>()) {
    for (auto& [name, field] : of->fields) OwnArrays(field);
  }
}

// Only what is large is looked at closely: that takes a copy.
absl::Status CheckItem(const Value& item) {
  if (item.Bytes() < limits::kCallBytesMax / 4) return absl::OkStatus();
  proto::Value message;
  std::shared_ptr<Attachment> beside;
  ToProto(Value(item), message, &beside);
  return CheckFitsMessage(message, "give items: the contents of one");
}

}  // namespace

absl::Status ObjectHost::KeepStreams(Job& job, Value& value) {
  auto* stream = value.get<ValueStream>();
  if (stream == nullptr || stream->source == nullptr) return absl::OkStatus();
  if (job.answer != nullptr) {
    return Error(
        Reason::kBadUsage,
        absl::StrCat("call ", Quoted(job.call.object()), ".", job.call.method(),
                     ": it gives items one by one, which takes a session; call "
                     "it by a proxy, or by Objects.Session"));
  }
  auto items = std::make_shared<ItemJob>(limits::kStreamBytesMax);
  items->session = job.session;
  items->source = std::move(stream->source);
  items->to = job.from;
  MutexLock lock(mutex_);
  items->id = next_stream_++;
  stream->id = items->id;
  streams_[items->id] = std::move(items);
  return absl::OkStatus();
}

void ObjectHost::DropStreams(const proto::MethodReply& reply, Work& work) {
  const auto drop = [&](const proto::Value& value) {
    if (!value.has_stream()) return;
    const auto found = streams_.find(value.stream());
    if (found == streams_.end()) return;
    found->second->dropped = true;
    // The source is let go of outside of the lock.
    work.push_back([items = std::move(found->second)] {});
    streams_.erase(found);
  };
  drop(reply.result());
  for (const proto::Value& value : reply.results()) drop(value);
}

void ObjectHost::OnCredit(const std::shared_ptr<Conversation>& from,
                          const proto::Credit& credit, Work& work) {
  MutexLock lock(mutex_);
  const auto found = streams_.find(credit.stream());
  if (found == streams_.end() || found->second->session != from->peer()) {
    if (credit.drop()) return;
    // It has ended and was let go of, or never was.
    proto::Frame frame;
    proto::Items& items = *frame.mutable_items();
    items.set_stream(credit.stream());
    items.set_first(credit.received());
    items.set_end(true);
    *items.mutable_error() = ToCallError(absl::NotFoundError(
        "take items: the stream is gone at its host; ask for it anew"));
    return from->Send(std::move(frame));
  }
  const std::shared_ptr<ItemJob> items = found->second;
  if (credit.drop()) {
    items->dropped = true;
    streams_.erase(found);
    work.push_back([items] {});  // the source is let go of outside of the lock
    return;
  }
  items->to = from;
  if (credit.resume()) items->window.Resume(credit.received());
  items->window.Allow(credit.received(), credit.more());
  if (items->window.finished()) {
    streams_.erase(found);
    work.push_back([items] {});
    return;
  }
  if (!std::exchange(items->producing, true)) {
    work.push_back([this, items] { Produce(items); });
  } else if (credit.resume()) {
    work.push_back([this, items] { SendItems(*items, std::nullopt); });
  }
}

void ObjectHost::Produce(const std::shared_ptr<ItemJob>& items) {
  while (true) {
    // Made outside of the lock: an item may take its time.
    bool wants = false;
    std::uint64_t room = 0;
    {
      MutexLock lock(mutex_);
      wants = items->window.WantsItem() && !items->dropped && !stopping_;
      room = items->window.allowed() - items->window.made();
    }
    std::optional<absl::Status> end;
    const absl::Time begin = absl::Now();
    bool is_slow = false;
    int count = 0;
    while (wants && !end.has_value() && !is_slow && count < items->batch &&
           static_cast<std::uint64_t>(count) < room) {
      absl::StatusOr<std::optional<Value>> item = (*items->source)();
      if (!item.ok()) {
        end = item.status();
      } else if (!item->has_value()) {
        end = absl::OkStatus();
      } else if (absl::Status fits = CheckItem(**item); !fits.ok()) {
        end = std::move(fits);
      } else {
        OwnArrays(**item);
        std::scoped_lock lock(items->making);
        items->made.push_back(**std::move(item));
        ++count;
      }
      is_slow = absl::Now() - begin > kSlowItem;
    }
    items->batch = is_slow ? 1 : std::min(2 * items->batch, kItemsAtOnce);
    const bool has_sent = SendItems(*items, std::move(end));
    MutexLock lock(mutex_);
    if (!items->window.WantsItem() || items->dropped || stopping_ ||
        (!wants && !has_sent)) {
      items->producing = false;
      return;
    }
  }
}

bool ObjectHost::SendItems(ItemJob& items, std::optional<absl::Status> end) {
  std::scoped_lock turn(items.sending);
  std::vector<Value> made;
  {
    std::scoped_lock lock(items.making);
    made.swap(items.made);
  }
  MutexLock lock(mutex_);
  for (Value& value : made) items.window.Made(std::move(value));
  if (end.has_value()) items.window.Ended(*std::move(end));
  const auto to = items.to.lock();
  bool has_sent = false;
  while (to != nullptr && !to->broken()) {
    auto ready = items.window.TakeToSend(kFrameBytes);
    const auto ended = items.window.TakeEnd();
    if (ready.empty() && !ended.has_value()) break;
    proto::Frame frame;
    std::shared_ptr<Attachment> attached;
    proto::Items& message = *frame.mutable_items();
    message.set_stream(items.id);
    message.set_first(ready.empty() ? items.window.made()
                                    : ready.front().number);
    for (auto& item : ready) {
      ToProto(std::move(item.value), *message.add_items(), &attached);
    }
    if (ended.has_value()) {
      message.set_end(true);
      if (!ended->ok()) *message.mutable_error() = ToCallError(*ended);
    }
    if (attached != nullptr) {
      // Who sends has its turn: items stay in their order. What could not be
      // shared goes in pieces.
      mutex_.unlock();
      to->Prepare(attached).IgnoreError();
      mutex_.lock();
    }
    to->Send(std::move(frame), std::move(attached));
    has_sent = true;
  }
  return has_sent;
}

void ObjectHost::SendHeldItems() {
  std::vector<std::shared_ptr<ItemJob>> held;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, items] : streams_) {
      if (items->producing) held.push_back(items);
    }
  }
  for (const auto& items : held) {
    {
      std::scoped_lock lock(items->making);
      if (items->made.empty()) continue;
    }
    crew_.Post([this, items] { SendItems(*items, std::nullopt); });
  }
}

}  // namespace hearth
