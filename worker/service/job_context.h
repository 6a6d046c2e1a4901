#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "hearth/base/mutex.h"
#include "hearth/compute/operation.h"
#include "hearth/transport/reach/segment_reach.h"
#include "protos/worker.pb.h"
#include "worker/segments/kept_segments.h"
#include "worker/segments/matrix_bytes.h"
#include "worker/segments/segment_store.h"

namespace hearth::worker {

// One job as this worker computes it: the plan bound to the mapped matrix, and
// the result that a concatenating job writes into.
//
// Kind:    immutable once opened. Threads: any.
class JobContext {
 public:
  static absl::StatusOr<std::shared_ptr<const JobContext>> Open(
      const proto::Brief& brief, const ServersByToken& servers,
      SegmentReach& reach, KeptSegments& kept, SegmentStore& store,
      const std::function<bool()>& cancelled);

  const Plan& plan() const { return *plan_; }
  const MatrixBytes& source() const { return *source_; }
  // What came from other hosts to open it, parameters included; told once.
  std::int64_t TakeBroughtBytes() const;
  // It concatenates, and its result lies here: tasks write into it. On another
  // host a task's rows are a partial, which is gathered there.
  bool writes_result() const { return !result_token_.zero(); }
  // Nothing when that is sealed.
  const OpenSegment* result() const {
    return result_.has_value() ? &*result_ : nullptr;
  }

  // The whole matrix, for a plan that needs it; else empty.
  std::span<const std::byte> whole() const { return whole_; }
  // Of one task; 0: no limit.
  std::int64_t max_run_leaves() const { return max_run_leaves_; }
  const Id& result_token() const { return result_token_; }

  std::int64_t leaf_count() const;
  // Blocks [begin, end) of a leaf; requires 0 <= leaf < leaf_count().
  struct BlockRange {
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };
  BlockRange BlocksOf(std::int64_t leaf) const;
  // Bytes of the result that leaves [begin, end) are, of a plan that
  // concatenates.
  std::int64_t ResultBytesOf(LeafRun run) const;

 private:
  absl::Status Prepare(const proto::Brief& brief, const ServersByToken& servers,
                       SegmentReach& reach, KeptSegments& kept,
                       const std::function<bool()>& cancelled);

  std::shared_ptr<MatrixBytes> source_;
  std::map<std::string, std::shared_ptr<MatrixBytes>> parameters_;
  std::unique_ptr<Plan> plan_;
  std::span<const std::byte> whole_;
  std::optional<OpenSegment> result_;
  Id result_token_;
  std::int64_t max_run_leaves_ = 0;
};

// The segment of this host that tasks of the job write into; zero: none.
Id ResultWritten(const proto::Brief& brief, const SegmentReach& reach);

// The jobs that this worker was briefed on, opened when first needed.
//
// Kind:    resource. Threads: any; the first that needs a job opens it, others
//          wait. Nothing but Get waits for bytes to come, so that a brief that
//          tells where they have moved to reaches whoever is bringing them.
class JobCache {
 public:
  JobCache(SegmentReach& reach, KeptSegments& kept, SegmentStore& store)
      : reach_(reach), kept_(kept), store_(store) {}

  void Brief(const proto::Brief& brief);
  void Forget(std::uint64_t job);
  void Clear();

  struct Opened {
    std::shared_ptr<const JobContext> context;
    std::shared_ptr<const Bytes> state;  // of the round; empty in round 0
    bool IsWhole() const { return context != nullptr && state != nullptr; }
  };
  // `cancelled` is asked while a matrix comes from another host.
  absl::StatusOr<Opened> Get(std::uint64_t job, int round,
                             const std::function<bool()>& cancelled);

 private:
  struct Entry {
    Mutex opening;  // held by who opens it, for as long as that takes
    Mutex mutex;    // never held for long
    proto::Brief brief ABSL_GUARDED_BY(mutex);
    ServersByToken servers ABSL_GUARDED_BY(mutex);  // of the brief's matrices
    std::shared_ptr<const JobContext> context ABSL_GUARDED_BY(mutex);
    std::shared_ptr<const Bytes> state ABSL_GUARDED_BY(mutex);
  };
  // What is still missing of `entry` is null.
  static absl::StatusOr<Opened> Look(Entry& entry, std::uint64_t job,
                                     int round);
  // One step: the context, or the state.
  absl::Status OpenMore(Entry& entry, const std::function<bool()>& cancelled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(entry.opening);

  SegmentReach& reach_;
  KeptSegments& kept_;
  SegmentStore& store_;
  Mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Entry>> entries_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace hearth::worker
