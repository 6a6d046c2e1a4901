#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "worker/core/steps.h"
#include "worker/segments/matrix_bytes.h"
#include "worker/segments/segment_store.h"
#include "worker/service/job_context.h"

namespace hearth::worker {

// Carries out the steps of one thread: it owns that thread's slots of partials,
// its scratch memory and its place in the file.
//
// Kind:    resource. Threads: one; `interrupted` is set by others.
class TaskRunner {
 public:
  // `on_pace` is told how long the first bytes of a stream took.
  using OnPace = std::function<void(const StreamPace&)>;
  TaskRunner(JobCache& jobs, SegmentStore& store, OnPace on_pace)
      : jobs_(jobs), store_(store), on_pace_(std::move(on_pace)) {}

  // Requires a step that is not Idle.
  Outcome Run(const Step& step);

  // Stops the step in hand between two row blocks.
  void Interrupt() { interrupted_ = true; }
  void ClearInterrupt() { interrupted_ = false; }
  // Of the matrix that was read last: memory that is removed is not kept by a
  // thread that has nothing to do.
  void LetGo() {
    reader_.reset();
    reading_.reset();
  }

 private:
  Outcome Do(const Idle&) { return Nothing{}; }
  Outcome Do(const ComputeLeaf& step);
  Outcome Do(const CombineSlots& step);
  Outcome Do(const DeliverSlots& step);
  Outcome Do(const RunTask& step);
  // What a step that could not be carried out says.
  static Outcome Failed(const Idle&, absl::Status) { return Nothing{}; }
  static Outcome Failed(const ComputeLeaf&, absl::Status status);
  static Outcome Failed(const CombineSlots&, absl::Status status);
  static Outcome Failed(const DeliverSlots&, absl::Status status);
  static Outcome Failed(const RunTask&, absl::Status status);

  absl::Status Compute(const ComputeLeaf& step, Traffic& traffic);
  absl::Status AccumulateLeaf(const ComputeLeaf& step,
                              const JobCache::Opened& job,
                              JobContext::BlockRange blocks);
  // Calls `put` with each slice of the result of these blocks, in order.
  absl::Status MapBlocks(const JobCache::Opened& job,
                         JobContext::BlockRange blocks,
                         absl::FunctionRef<absl::Status(
                             std::int64_t offset, std::span<const std::byte>)>
                             put);
  absl::Status WriteSlices(const JobCache::Opened& job,
                           JobContext::BlockRange blocks);
  absl::Status KeepSlices(const ComputeLeaf& step, const JobCache::Opened& job,
                          JobContext::BlockRange blocks);
  absl::StatusOr<Report> RunWhole(const Task& task, std::vector<Id>& missing);
  absl::StatusOr<Report> PlanJob(const Task& task);
  absl::StatusOr<Report> CombineInputs(const Task& task,
                                       std::vector<Id>& missing);
  absl::Status Gather(const Task& task, const JobCache::Opened& job,
                      std::vector<Id>& missing);
  absl::StatusOr<Bytes> BytesOf(const RunInput& input,
                                std::vector<Id>& missing);
  absl::StatusOr<Report> FinishJob(const Task& task, std::vector<Id>& missing);
  absl::StatusOr<Bytes> Fold(const Task& task, const JobCache::Opened& job,
                             std::vector<Id>& missing);

  Bytes& SlotOf(const ComputeLeaf& step);
  BlockReader& ReaderAt(std::uint64_t job,
                        const std::shared_ptr<const JobContext>& context,
                        std::int64_t block);

  JobCache& jobs_;
  SegmentStore& store_;
  const OnPace on_pace_;
  std::atomic<bool> interrupted_{false};

  std::vector<Bytes> slots_;
  Scratch scratch_;
  Scratch slice_;
  // Kept from leaf to leaf, so that a file is read ahead.
  std::function<bool()> interrupted() const {
    return [this] { return interrupted_.load(); };
  }

  std::shared_ptr<const JobContext> reading_;
  std::optional<BlockReader> reader_;
  std::int64_t reader_next_ = -1;
};

}  // namespace hearth::worker
