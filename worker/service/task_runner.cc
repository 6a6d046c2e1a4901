#include "worker/service/task_runner.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/crash_point.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/matrix/run_tree.h"
#include "hearth/transport/control/codec.h"
#include "protos/worker.pb.h"

namespace hearth::worker {
namespace {

absl::Status Interrupted() {
  return Error(Reason::kJobCancelled, "compute: nobody wants it any more");
}

std::string DescribePlan(const JobContext& context,
                         const std::vector<ResultArray>& results) {
  proto::PlanDescription description;
  description.set_row_blocks(context.source().partition().block_count());
  for (const ResultArray& result : results) {
    proto::ResultField& field = *description.add_fields();
    field.set_name(result.name);
    *field.mutable_layout() =
        ToProto(MatrixLayout{.type = result.type,
                             .byte_order = ByteOrder::kNative,
                             .order = result.order,
                             .shape = result.shape});
  }
  return description.SerializeAsString();
}

}  // namespace

Outcome TaskRunner::Run(const Step& step) {
  return std::visit(
      [this](const auto& one) -> Outcome {
        try {
          return Do(one);
        } catch (const std::bad_alloc&) {
          slots_.clear();
          return Failed(
              one, Error(Reason::kOutOfMemory,
                         "compute: no memory was given for what a task keeps; "
                         "free some, or raise the limit of this process"));
        }
      },
      step);
}

Outcome TaskRunner::Failed(const ComputeLeaf&, absl::Status status) {
  return LeafDone{.status = std::move(status)};
}

Outcome TaskRunner::Failed(const CombineSlots&, absl::Status status) {
  return SlotsCombined{std::move(status)};
}

Outcome TaskRunner::Failed(const DeliverSlots&, absl::Status status) {
  return Delivered{.status = std::move(status)};
}

Outcome TaskRunner::Failed(const RunTask&, absl::Status status) {
  return WholeDone{TaskFailed{.status = std::move(status)}};
}

// ---------------------------------------------------------------------- leaves

Outcome TaskRunner::Do(const ComputeLeaf& step) {
  LeafDone done;
  done.status = Compute(step, done.traffic);
  return done;
}

absl::Status TaskRunner::Compute(const ComputeLeaf& step, Traffic& traffic) {
  HEARTH_ASSIGN_OR_RETURN(const JobCache::Opened job,
                          jobs_.Get(step.job, step.round, interrupted()));
  if (step.leaf < 0 || step.leaf >= job.context->leaf_count()) {
    return Error(Reason::kInternal,
                 absl::StrCat("compute leaf ", step.leaf, " of ",
                              job.context->leaf_count()));
  }
  const JobContext::BlockRange blocks = job.context->BlocksOf(step.leaf);
  BlockReader& reader = ReaderAt(step.job, job.context, blocks.begin);
  const ReadEffort before = reader.effort();
  HEARTH_RETURN_IF_ERROR(job.context->source().Verify());
  const absl::Status computed = !job.context->plan().concatenates()
                                    ? AccumulateLeaf(step, job, blocks)
                                : step.slot < 0 ? WriteSlices(job, blocks)
                                                : KeepSlices(step, job, blocks);
  reader_next_ = computed.ok() ? blocks.end : -1;
  HEARTH_RETURN_IF_ERROR(computed);
  // What was read is only good if the file is still what was published.
  HEARTH_RETURN_IF_ERROR(job.context->source().Verify());
  const ReadEffort& after = reader.effort();
  traffic.bytes_mapped = after.bytes_mapped - before.bytes_mapped;
  const std::int64_t brought = job.context->TakeBroughtBytes();
  traffic.bytes_streamed =
      after.bytes_streamed - before.bytes_streamed + brought;
  traffic.bytes_kept = after.bytes_kept - before.bytes_kept + brought;
  traffic.bytes_copied = after.bytes_copied - before.bytes_copied;
  traffic.bytes_converted = after.bytes_converted - before.bytes_converted;
  return absl::OkStatus();
}

BlockReader& TaskRunner::ReaderAt(
    std::uint64_t, const std::shared_ptr<const JobContext>& context,
    std::int64_t block) {
  if (reading_ != context || reader_next_ != block) {
    reader_.reset();
    reading_ = context;
    reader_.emplace(context->source(), block,
                    context->source().partition().block_count(), interrupted());
  }
  return *reader_;
}

absl::Status TaskRunner::AccumulateLeaf(const ComputeLeaf& step,
                                        const JobCache::Opened& job,
                                        JobContext::BlockRange blocks) {
  const Plan& plan = job.context->plan();
  Bytes& partial = SlotOf(step);
  partial = plan.Begin(*job.state);
  for (std::int64_t i = blocks.begin; i < blocks.end; ++i) {
    if (interrupted_) return Interrupted();
    CrashPoint("worker.compute");
    HEARTH_RETURN_IF_ERROR(reader_->Visit(
        job.context->source().partition().Block(i), [&](BlockView view) {
          view.matrix = job.context->whole();
          if (const auto pace = reader_->TakePace()) on_pace_(*pace);
          return plan.Accumulate(view, *job.state, scratch_, partial);
        }));
  }
  return absl::OkStatus();
}

Bytes& TaskRunner::SlotOf(const ComputeLeaf& step) {
  const auto slot = static_cast<std::size_t>(step.slot);
  if (slots_.size() <= slot) slots_.resize(slot + 1);
  return slots_[slot];
}

absl::Status TaskRunner::MapBlocks(
    const JobCache::Opened& job, JobContext::BlockRange blocks,
    absl::FunctionRef<absl::Status(std::int64_t, std::span<const std::byte>)>
        put) {
  const Plan& plan = job.context->plan();
  const Partition& partition = job.context->source().partition();
  for (std::int64_t i = blocks.begin, step = 1; i < blocks.end; i += step) {
    if (interrupted_) return Interrupted();
    CrashPoint("worker.compute");
    step = plan.joins_blocks() ? reader_->SideBySide(i, blocks.end) : 1;
    const RowBlock block = partition.Joined(i, i + step);
    const Plan::ResultSlice slice = plan.SliceOf(block);
    std::byte* out = slice_.Get(slice.bytes);
    HEARTH_RETURN_IF_ERROR(reader_->Visit(block, [&](BlockView view) {
      view.matrix = job.context->whole();
      if (const auto pace = reader_->TakePace()) on_pace_(*pace);
      return plan.MapBlock(view, scratch_, out);
    }));
    HEARTH_RETURN_IF_ERROR(
        put(slice.offset, {out, static_cast<std::size_t>(slice.bytes)}));
  }
  return absl::OkStatus();
}

absl::Status TaskRunner::WriteSlices(const JobCache::Opened& job,
                                     JobContext::BlockRange blocks) {
  const OpenSegment* result = job.context->result();
  if (result == nullptr) return Interrupted();  // sealed: all of it is there
  // Written, not mapped: a late writer can't stand in the way of the seal.
  return MapBlocks(job, blocks,
                   [&](std::int64_t offset, std::span<const std::byte> slice) {
                     return result->WriteAt(offset, slice);
                   });
}

absl::Status TaskRunner::KeepSlices(const ComputeLeaf& step,
                                    const JobCache::Opened& job,
                                    JobContext::BlockRange blocks) {
  Bytes& rows = SlotOf(step);
  rows.clear();
  return MapBlocks(job, blocks,
                   [&](std::int64_t, std::span<const std::byte> slice) {
                     rows.insert(rows.end(), slice.begin(), slice.end());
                     return absl::OkStatus();
                   });
}

// -------------------------------------------------------------------- partials

Outcome TaskRunner::Do(const CombineSlots& step) {
  CrashPoint("worker.combine");
  auto job = jobs_.Get(step.job, step.round, interrupted());
  if (!job.ok()) return SlotsCombined{job.status()};
  Bytes right = std::move(slots_[static_cast<std::size_t>(step.right)]);
  if (job->context->plan().concatenates()) {
    Bytes& left = slots_[static_cast<std::size_t>(step.left)];
    left.insert(left.end(), right.begin(), right.end());
    return SlotsCombined{};
  }
  return SlotsCombined{job->context->plan().Combine(
      slots_[static_cast<std::size_t>(step.left)], right)};
}

Outcome TaskRunner::Do(const DeliverSlots& step) {
  // Small ones keep their memory for the next task.
  constexpr std::size_t kKeptBytes = limits::kMiB;
  Delivered delivered;
  for (std::size_t i = 0; i < step.runs.size(); ++i) {
    auto ref = store_.Put(slots_[i]);
    if (!ref.ok()) {
      delivered.status = ref.status();
      break;
    }
    delivered.partials.push_back(*std::move(ref));
  }
  for (Bytes& slot : slots_) {
    if (slot.capacity() > kKeptBytes) Bytes().swap(slot);
  }
  return delivered;
}

// ----------------------------------------------------------------- whole tasks

Outcome TaskRunner::Do(const RunTask& step) {
  std::vector<Id> missing;
  auto report = RunWhole(step.task, missing);
  if (report.ok()) return WholeDone{*std::move(report)};
  if (!missing.empty()) {
    return WholeDone{InputMissing{.tokens = std::move(missing)}};
  }
  return WholeDone{TaskFailed{.status = report.status()}};
}

absl::StatusOr<Report> TaskRunner::RunWhole(const Task& task,
                                            std::vector<Id>& missing) {
  switch (task.kind) {
    case TaskKind::kPlan:
      return PlanJob(task);
    case TaskKind::kCombine:
      return CombineInputs(task, missing);
    case TaskKind::kFinish:
      return FinishJob(task, missing);
    case TaskKind::kCompute:
      break;
  }
  return Error(Reason::kInternal, "run a task of leaves as a whole");
}

absl::StatusOr<Report> TaskRunner::PlanJob(const Task& task) {
  HEARTH_ASSIGN_OR_RETURN(const JobCache::Opened job,
                          jobs_.Get(task.job, task.round, interrupted()));
  const Plan& plan = job.context->plan();
  const std::vector<ResultArray> results = plan.DeclareResults();
  PlanReady ready;
  ready.plan.leaf_count = job.context->leaf_count();
  ready.plan.concatenates = plan.concatenates();
  ready.plan.max_run_leaves = job.context->max_run_leaves();
  ready.plan.needs_whole_matrix = plan.needs_whole_matrix();
  if (ready.plan.max_run_leaves == 0) {
    // A shard at most, so that progress shows however large the matrix is.
    ready.plan.max_run_leaves = std::max<std::int64_t>(
        1, job.context->source().partition().blocks_per_shard() >>
               plan.leaf_blocks_log2());
  }
  ready.plan.partial_bytes_max = plan.partial_bytes_max();
  ready.plan.description = DescribePlan(*job.context, results);
  for (const ResultArray& result : results) {
    HEARTH_ASSIGN_OR_RETURN(const MatrixLayout layout,
                            MatrixLayout::Make(result.type, ByteOrder::kNative,
                                               result.order, result.shape));
    ready.plan.result_bytes += layout.bytes();
  }
  if (plan.concatenates()) {
    HEARTH_ASSIGN_OR_RETURN(ready.plan.result.token,
                            store_.CreateResult(ready.plan.result_bytes));
  }
  return Report(std::move(ready));
}

absl::StatusOr<Bytes> TaskRunner::BytesOf(const RunInput& input,
                                          std::vector<Id>& missing) {
  auto bytes = store_.Get(input.partial, interrupted());
  if (!bytes.ok() && ReasonOf(bytes.status()) == Reason::kSegmentGone) {
    missing.push_back(input.partial.token);
  }
  return bytes;
}

absl::StatusOr<Bytes> TaskRunner::Fold(const Task& task,
                                       const JobCache::Opened& job,
                                       std::vector<Id>& missing) {
  RunStack stack(job.context->leaf_count());
  std::vector<Bytes> partials;
  for (const RunInput& input : task.inputs) {
    HEARTH_ASSIGN_OR_RETURN(Bytes bytes, BytesOf(input, missing));
    const auto slot = static_cast<std::size_t>(stack.Push(input.run));
    partials.resize(slot);
    partials.push_back(std::move(bytes));
    while (stack.CanCombine()) {
      const auto left = static_cast<std::size_t>(stack.Combine());
      HEARTH_RETURN_IF_ERROR(
          job.context->plan().Combine(partials[left], partials[left + 1]));
      partials.resize(left + 1);
    }
  }
  if (partials.size() != 1) {
    return Error(Reason::kInternal,
                 absl::StrCat("combine ", task.inputs.size(),
                              " partials: they are no cover of one run"));
  }
  return std::move(partials[0]);
}

absl::StatusOr<Report> TaskRunner::CombineInputs(const Task& task,
                                                 std::vector<Id>& missing) {
  HEARTH_ASSIGN_OR_RETURN(const JobCache::Opened job,
                          jobs_.Get(task.job, task.round, interrupted()));
  Commit commit;
  if (job.context->plan().concatenates()) {
    HEARTH_RETURN_IF_ERROR(Gather(task, job, missing));
    return Report(std::move(commit));
  }
  HEARTH_ASSIGN_OR_RETURN(const Bytes partial, Fold(task, job, missing));
  HEARTH_ASSIGN_OR_RETURN(commit.partial, store_.Put(partial));
  return Report(std::move(commit));
}

// Rows that other hosts have computed go to where they belong.
absl::Status TaskRunner::Gather(const Task& task, const JobCache::Opened& job,
                                std::vector<Id>& missing) {
  const JobContext& context = *job.context;
  const OpenSegment* result = context.result();
  if (result == nullptr) return Interrupted();  // sealed: all of it is there
  for (const RunInput& input : task.inputs) {
    if (input.run.begin < 0 || input.run.empty() ||
        input.run.end > context.leaf_count()) {
      return Error(Reason::kInternal,
                   absl::StrCat("gather leaves [", input.run.begin, ", ",
                                input.run.end, ") of ", context.leaf_count()));
    }
    HEARTH_ASSIGN_OR_RETURN(const Bytes bytes, BytesOf(input, missing));
    if (std::ssize(bytes) != context.ResultBytesOf(input.run)) {
      return Error(
          Reason::kInternal,
          absl::StrCat("gather ", bytes.size(), " bytes of a result: leaves [",
                       input.run.begin, ", ", input.run.end, ") have ",
                       context.ResultBytesOf(input.run)));
    }
    std::span<const std::byte> left(bytes);
    const std::int64_t end = context.BlocksOf(input.run.end - 1).end;
    for (std::int64_t i = context.BlocksOf(input.run.begin).begin; i < end;
         ++i) {
      const Plan::ResultSlice slice =
          context.plan().SliceOf(context.source().partition().Block(i));
      const auto size = static_cast<std::size_t>(slice.bytes);
      HEARTH_RETURN_IF_ERROR(result->WriteAt(slice.offset, left.first(size)));
      left = left.subspan(size);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Report> TaskRunner::FinishJob(const Task& task,
                                             std::vector<Id>& missing) {
  HEARTH_ASSIGN_OR_RETURN(const JobCache::Opened job,
                          jobs_.Get(task.job, task.round, interrupted()));
  FinishDone done;
  CrashPoint("worker.result");
  if (job.context->plan().concatenates()) {
    HEARTH_ASSIGN_OR_RETURN(BytesRef result,
                            store_.SealResult(job.context->result_token()));
    done.results.push_back(std::move(result));
    return Report(std::move(done));
  }
  HEARTH_ASSIGN_OR_RETURN(Bytes partial, Fold(task, job, missing));
  HEARTH_ASSIGN_OR_RETURN(
      const FinishOutcome outcome,
      job.context->plan().Finish(std::move(partial), *job.state, task.round));
  if (outcome.next_round_state.has_value()) {
    HEARTH_ASSIGN_OR_RETURN(done.next_state,
                            store_.Put(*outcome.next_round_state));
    return Report(std::move(done));
  }
  for (const ResultArray& result : outcome.results) {
    HEARTH_ASSIGN_OR_RETURN(BytesRef ref, store_.Put(result.bytes));
    done.results.push_back(std::move(ref));
  }
  return Report(std::move(done));
}

}  // namespace hearth::worker
