#include "worker/service/job_context.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/base/units.h"
#include "hearth/compute/empty_tasks.h"
#include "hearth/compute/random_fill.h"
#include "hearth/compute/registry.h"
#include "hearth/shm/memory_limits.h"
#include "hearth/transport/control/codec.h"
#include "worker/service/wire.h"

namespace hearth::worker {
namespace {

constexpr absl::string_view kEmptyTasks = "empty-tasks";

// A task holds its scratch, a partial, and one that is to join it. Little of
// that is not worth looking for.
absl::Status CheckRoomFor(const Plan& plan) {
  constexpr std::int64_t kLittle = 32 * limits::kMiB;
  const std::int64_t bytes =
      2 * plan.partial_bytes_max() + plan.scratch_bytes_max();
  if (bytes <= kLittle) return absl::OkStatus();
  const TightestLimit room = MemoryLimits().Tightest();
  if (bytes <= room.free_bytes) return absl::OkStatus();
  return Error(
      Reason::kOutOfMemory,
      absl::StrCat("a task keeps ", FormatBytes(bytes),
                   " of partial results, but ", FormatBytes(room.free_bytes),
                   " of ", FormatBytes(room.limit_bytes),
                   " can still be used (", room.source,
                   "); free memory, raise that limit, or ask for fewer outputs "
                   "at once"));
}

absl::StatusOr<std::uint64_t> SeedOf(const proto::Brief& brief) {
  const auto text = brief.arguments().text().find("seed");
  std::uint64_t seed = 0;
  if (text == brief.arguments().text().end() ||
      !absl::SimpleAtoi(text->second, &seed)) {
    return Error(Reason::kBadUsage, "make a matrix: its seed is no number");
  }
  return seed;
}

// A job is planned once and then written into one result; anew, into another.
bool WritesElsewhere(const proto::Brief& now, const proto::Brief& before) {
  if (!now.concatenates()) return false;
  const bool is_planned = now.leaf_count() > 0 && before.leaf_count() == 0;
  return is_planned ||
         FromProto(before.result().token()) != FromProto(now.result().token());
}

}  // namespace

Id ResultWritten(const proto::Brief& brief, const SegmentReach& reach) {
  const bool is_written = brief.concatenates() && brief.has_result() &&
                          reach.IsOwn(brief.result().host());
  return is_written ? FromProto(brief.result().token()) : Id{};
}

absl::StatusOr<std::shared_ptr<const JobContext>> JobContext::Open(
    const proto::Brief& brief, const ServersByToken& servers,
    SegmentReach& reach, KeptSegments& kept, SegmentStore& store,
    const std::function<bool()>& cancelled) {
  auto context = std::make_shared<JobContext>();
  HEARTH_ASSIGN_OR_RETURN(
      context->source_,
      MatrixBytes::Open(brief.matrix(), servers, reach, kept));
  if (brief.matrix().has_unmade() && brief.operation() == kEmptyTasks) {
    context->plan_ = PlanEmptyTasks(context->source_->layout());
    context->max_run_leaves_ = 1;
  } else if (brief.matrix().has_unmade()) {
    HEARTH_ASSIGN_OR_RETURN(const std::uint64_t seed, SeedOf(brief));
    context->plan_ = PlanRandomFill(context->source_->layout(), seed);
  } else {
    HEARTH_RETURN_IF_ERROR(
        context->Prepare(brief, servers, reach, kept, cancelled));
  }
  context->result_token_ = ResultWritten(brief, reach);
  if (context->writes_result()) {
    HEARTH_ASSIGN_OR_RETURN(context->result_,
                            store.OpenResult(context->result_token_));
  }
  return context;
}

absl::Status JobContext::Prepare(const proto::Brief& brief,
                                 const ServersByToken& servers,
                                 SegmentReach& reach, KeptSegments& kept,
                                 const std::function<bool()>& cancelled) {
  HEARTH_ASSIGN_OR_RETURN(const Operation* operation,
                          FindOperation(brief.operation()));
  Arguments arguments;
  for (const auto& [name, value] : brief.arguments().text()) {
    arguments.text[name] = value;
  }
  for (const auto& [name, record] : brief.parameters()) {
    HEARTH_ASSIGN_OR_RETURN(auto source,
                            MatrixBytes::Open(record, servers, reach, kept));
    HEARTH_RETURN_IF_ERROR(source->Bring(cancelled));
    HEARTH_ASSIGN_OR_RETURN(const auto bytes, source->Whole());
    arguments.matrices[name] = {source->layout(), bytes};
    parameters_[name] = std::move(source);
  }
  HEARTH_ASSIGN_OR_RETURN(plan_,
                          operation->Prepare(source_->layout(), arguments));
  HEARTH_RETURN_IF_ERROR(CheckRoomFor(*plan_));
  if (plan_->needs_whole_matrix()) {
    HEARTH_RETURN_IF_ERROR(source_->Bring(cancelled));
    HEARTH_ASSIGN_OR_RETURN(whole_, source_->Whole());
  } else {
    source_->KeepWhatComes();
  }
  return absl::OkStatus();
}

std::int64_t JobContext::TakeBroughtBytes() const {
  std::int64_t bytes = source_->TakeBroughtBytes();
  for (const auto& [name, parameter] : parameters_) {
    bytes += parameter->TakeBroughtBytes();
  }
  return bytes;
}

std::int64_t JobContext::leaf_count() const {
  const int log2 = plan_->leaf_blocks_log2();
  const std::int64_t blocks = source_->partition().block_count();
  return ((blocks - 1) >> log2) + 1;
}

JobContext::BlockRange JobContext::BlocksOf(std::int64_t leaf) const {
  const int log2 = plan_->leaf_blocks_log2();
  return {leaf << log2,
          std::min((leaf + 1) << log2, source_->partition().block_count())};
}

std::int64_t JobContext::ResultBytesOf(LeafRun run) const {
  std::int64_t bytes = 0;
  for (std::int64_t i = BlocksOf(run.begin).begin,
                    end = BlocksOf(run.end - 1).end;
       i < end; ++i) {
    bytes += plan_->SliceOf(source_->partition().Block(i)).bytes;
  }
  return bytes;
}

void JobCache::Brief(const proto::Brief& brief) {
  std::shared_ptr<Entry> entry;
  {
    MutexLock lock(mutex_);
    std::shared_ptr<Entry>& place = entries_[brief.job()];
    if (place == nullptr) place = std::make_shared<Entry>();
    entry = place;
  }
  MutexLock lock(entry->mutex);
  // Planned now, or anew: the context gets the result that it was opened
  // without.
  if (WritesElsewhere(brief, entry->brief)) entry->context.reset();
  if (entry->brief.round() != brief.round()) entry->state.reset();
  Learn(brief.matrix(), entry->servers);
  for (const auto& [name, record] : brief.parameters()) {
    Learn(record, entry->servers);
  }
  entry->brief = brief;
}

void JobCache::Forget(std::uint64_t job) {
  MutexLock lock(mutex_);
  entries_.erase(job);
}

void JobCache::Clear() {
  MutexLock lock(mutex_);
  entries_.clear();
}

absl::StatusOr<JobCache::Opened> JobCache::Get(
    std::uint64_t job, int round, const std::function<bool()>& cancelled) {
  std::shared_ptr<Entry> entry;
  {
    MutexLock lock(mutex_);
    const auto found = entries_.find(job);
    if (found != entries_.end()) entry = found->second;
  }
  if (entry == nullptr) {
    return Error(Reason::kJobUnknown,
                 absl::StrCat("compute for job ", job, ": it was released"));
  }
  HEARTH_ASSIGN_OR_RETURN(Opened opened, Look(*entry, job, round));
  if (opened.IsWhole()) return opened;
  MutexLock opening(entry->opening);
  for (;;) {
    HEARTH_ASSIGN_OR_RETURN(opened, Look(*entry, job, round));
    if (opened.IsWhole()) return opened;
    HEARTH_RETURN_IF_ERROR(OpenMore(*entry, cancelled));
  }
}

absl::StatusOr<JobCache::Opened> JobCache::Look(Entry& entry, std::uint64_t job,
                                                int round) {
  MutexLock lock(entry.mutex);
  if (entry.brief.round() != round) {
    return Error(Reason::kJobUnknown,
                 absl::StrCat("compute round ", round, " of job ", job,
                              ": it is in round ", entry.brief.round()));
  }
  return Opened{entry.context, entry.state};
}

absl::Status JobCache::OpenMore(Entry& entry,
                                const std::function<bool()>& cancelled) {
  proto::Brief brief;
  ServersByToken servers;
  bool has_context = false;
  {
    MutexLock lock(entry.mutex);
    brief = entry.brief;
    servers = entry.servers;
    has_context = entry.context != nullptr;
  }
  if (!has_context) {
    HEARTH_ASSIGN_OR_RETURN(
        auto context,
        JobContext::Open(brief, servers, reach_, kept_, store_, cancelled));
    MutexLock lock(entry.mutex);
    // Else it was planned anew meanwhile.
    if (!WritesElsewhere(entry.brief, brief)) {
      entry.context = std::move(context);
    }
    return absl::OkStatus();
  }
  HEARTH_ASSIGN_OR_RETURN(Bytes state,
                          store_.Get(FromWire(brief.state()), cancelled));
  MutexLock lock(entry.mutex);
  if (entry.brief.round() == brief.round()) {
    entry.state = std::make_shared<const Bytes>(std::move(state));
  }
  return absl::OkStatus();
}

}  // namespace hearth::worker
