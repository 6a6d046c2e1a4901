#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "absl/status/statusor.h"
#include "hearth/transport/reach/segment_reach.h"
#include "protos/worker.pb.h"
#include "worker/core/task.h"

namespace hearth::worker {

// Fetches whole segments of other hosts for this host's keeper to hold, or
// makes new ones, one after the other, beside what the worker computes.
//
// Kind:    resource; neither moves nor copies. Its destructor stops the thread.
// Threads: any. `on_done` is called from the copier's own.
class Copier {
 public:
  using OnDone = std::function<void(SegmentCopied)>;
  // `threads` make what is made.
  Copier(SegmentReach& reach, int threads, OnDone on_done);
  ~Copier();

  void Start(const proto::CopySegment& order);
  // What of it is made is dropped; on_done is not called any more.
  void Stop(std::uint64_t order);
  void StopAll();

  // Whether bytes have come since this was last asked.
  bool TakeProgress() { return progress_.exchange(false); }

 private:
  struct Order {
    std::uint64_t number = 0;
    SegmentPlace from;
    std::optional<proto::Origin> origin;  // made of that, from `offset` on
    std::int64_t offset = 0;
    std::atomic<bool> stopped = false;
  };
  void Work();
  absl::Status Fill(const Order& order, const OpenSegment& open);
  absl::StatusOr<Id> Copy(const Order& order);
  std::optional<FetchedSegment> FetchHere(const SegmentPlace& place);

  SegmentReach& reach_;
  const int threads_of_a_fill_;
  const OnDone on_done_;
  std::atomic<bool> progress_ = false;
  std::mutex mutex_;  // guards all below
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Order>> orders_;  // the first is under way
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace hearth::worker
