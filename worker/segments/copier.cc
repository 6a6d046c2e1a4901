#include "worker/segments/copier.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "hearth/base/crash_point.h"
#include "hearth/base/id.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/shm/memory_limits.h"
#include "hearth/transport/control/codec.h"
#include "worker/segments/origin.h"

namespace hearth::worker {
namespace {

SegmentCard CardOf(SegmentKind kind, std::int64_t bytes) {
  return {.kind = kind, .bytes = static_cast<std::uint64_t>(bytes)};
}

}  // namespace

Copier::Copier(SegmentReach& reach, int threads, OnDone on_done)
    : reach_(reach),
      threads_of_a_fill_(threads),
      on_done_(std::move(on_done)),
      thread_([this] { Work(); }) {}

Copier::~Copier() {
  {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
    for (const auto& order : orders_) order->stopped = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Copier::Start(const proto::CopySegment& message) {
  auto order = std::make_shared<Order>();
  order->number = message.order();
  order->from = {.token = FromProto(message.segment()),
                 .replicas = ReplicasOf(message.from()),
                 .bytes = std::max<std::int64_t>(0, message.bytes())};
  if (message.has_origin()) order->origin = message.origin();
  order->offset = std::max<std::int64_t>(0, message.offset());
  std::scoped_lock lock(mutex_);
  orders_.push_back(std::move(order));
  wake_.notify_all();
}

void Copier::Stop(std::uint64_t number) {
  std::scoped_lock lock(mutex_);
  for (const auto& order : orders_) {
    if (order->number == number) order->stopped = true;
  }
}

void Copier::StopAll() {
  std::scoped_lock lock(mutex_);
  for (const auto& order : orders_) order->stopped = true;
}

void Copier::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !orders_.empty(); });
    if (stopping_) return;
    const std::shared_ptr<Order> order = orders_.front();
    lock.unlock();
    absl::StatusOr<Id> token = absl::CancelledError("stopped");
    if (!order->stopped) token = Copy(*order);
    if (!order->stopped) {
      on_done_({.order = order->number,
                .status = token.status(),
                .token = token.value_or(Id())});
    } else if (token.ok()) {
      reach_.own().Drop(*token).IgnoreError();
    }
    lock.lock();
    orders_.pop_front();
  }
}

// A computation may have brought it here, or another keeper of this machine has
// it: held twice, it lies here once.
std::optional<FetchedSegment> Copier::FetchHere(const SegmentPlace& place) {
  const auto is_whole = [&](const FetchedSegment& one) {
    return one.card.kind != SegmentKind::kOpen &&
           one.card.bytes == static_cast<std::uint64_t>(place.bytes);
  };
  auto brought = reach_.own().Fetch(SegmentReach::CopyTokenOf(place.token));
  if (brought.ok() && is_whole(*brought)) return *std::move(brought);
  auto near = reach_.Fetch(place);
  if (near.ok() && near->has_value() && is_whole(**near)) {
    return *std::move(near);
  }
  return std::nullopt;
}

absl::Status Copier::Fill(const Order& order, const OpenSegment& open) {
  const auto cancelled = [&] { return order.stopped.load(); };
  if (order.origin.has_value()) {
    return FillFromOrigin(*order.origin, order.offset, open, reach_,
                          threads_of_a_fill_, cancelled, [&](std::int64_t) {
                            progress_ = true;
                            CrashPoint("worker.copy");
                            return absl::OkStatus();
                          });
  }
  const MemoryLimits memory;
  std::int64_t unchecked = 0;
  return reach_.StreamPart(open, order.from, {.bytes = order.from.bytes},
                           cancelled, [&](std::int64_t came) {
                             progress_ = true;
                             CrashPoint("worker.copy");
                             unchecked += came;
                             if (unchecked < limits::kFillCheckBytes)
                               return absl::OkStatus();
                             unchecked = 0;
                             return memory.Reserve(
                                 limits::kFillCheckBytes,
                                 "copy a segment of another host");
                           });
}

absl::StatusOr<Id> Copier::Copy(const Order& order) {
  const std::int64_t bytes = order.from.bytes;
  const Id token = Id::Random();
  std::optional<FetchedSegment> here;
  if (!order.origin.has_value()) here = FetchHere(order.from);
  if (here.has_value()) {
    HEARTH_RETURN_IF_ERROR(reach_.own().Deposit(
        token, here->fd.get(), CardOf(SegmentKind::kSealed, bytes)));
    return token;
  }
  HEARTH_ASSIGN_OR_RETURN(OpenSegment open, reach_.Create(bytes));
  // The keeper says first whether it has room.
  HEARTH_RETURN_IF_ERROR(reach_.own().Deposit(
      token, open.fd(), CardOf(SegmentKind::kOpen, bytes)));
  absl::Cleanup give_up = [&] { reach_.own().Drop(token).IgnoreError(); };
  HEARTH_RETURN_IF_ERROR(Fill(order, open));
  HEARTH_ASSIGN_OR_RETURN(const SealedSegment sealed, open.Seal());
  HEARTH_RETURN_IF_ERROR(reach_.own().Replace(
      token, sealed.fd(), CardOf(SegmentKind::kSealed, bytes)));
  std::move(give_up).Cancel();
  return token;
}

}  // namespace hearth::worker
