#include "worker/service/copier.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "hearth/base/crash_point.h"
#include "hearth/base/id.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/shm/memory_limits.h"

namespace hearth::worker {
namespace {

SegmentCard CardOf(SegmentKind kind, std::int64_t bytes) {
  return {.kind = kind, .bytes = static_cast<std::uint64_t>(bytes)};
}

}  // namespace

Copier::Copier(SegmentReach& reach, OnDone on_done)
    : reach_(reach),
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

void Copier::Start(std::uint64_t number, SegmentPlace from) {
  auto order = std::make_shared<Order>();
  order->number = number;
  order->from = std::move(from);
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
    return one.card.kind == SegmentKind::kSealed &&
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

absl::StatusOr<Id> Copier::Copy(const Order& order) {
  const std::int64_t bytes = order.from.bytes;
  const Id token = Id::Random();
  if (auto here = FetchHere(order.from); here.has_value()) {
    HEARTH_RETURN_IF_ERROR(reach_.own().Deposit(
        token, here->fd.get(), CardOf(SegmentKind::kSealed, bytes)));
    return token;
  }
  HEARTH_ASSIGN_OR_RETURN(OpenSegment open,
                          OpenSegment::Create(bytes, MemoryLimits()));
  // The keeper says first whether it has room.
  HEARTH_RETURN_IF_ERROR(reach_.own().Deposit(
      token, open.fd(), CardOf(SegmentKind::kOpen, bytes)));
  absl::Cleanup give_up = [&] { reach_.own().Drop(token).IgnoreError(); };
  const MemoryLimits memory;
  std::int64_t unchecked = 0;
  HEARTH_ASSIGN_OR_RETURN(
      const SealedSegment sealed,
      reach_.Stream(
          std::move(open), order.from, [&] { return order.stopped.load(); },
          [&](std::int64_t came) {
            progress_ = true;
            CrashPoint("worker.copy");
            unchecked += came;
            if (unchecked < limits::kFillCheckBytes) return absl::OkStatus();
            unchecked = 0;
            return memory.Reserve(limits::kFillCheckBytes,
                                  "copy a segment of another host");
          }));
  HEARTH_RETURN_IF_ERROR(reach_.own().Replace(
      token, sealed.fd(), CardOf(SegmentKind::kSealed, bytes)));
  std::move(give_up).Cancel();
  return token;
}

}  // namespace hearth::worker
