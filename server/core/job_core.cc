#include "server/core/job_core.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "hearth/base/limits.h"

namespace hearth::server {
namespace {

// A run index fits 48 bits with room to double it; no matrix has more blocks.
constexpr std::int64_t kLeafCountMax = std::int64_t{1} << 48;

// Inputs that go missing again and again mean that a host loses bytes faster
// than they are made.
constexpr int kVoidsMax = 1000;

}  // namespace

JobCore::JobCore(JobRecord record, const CoordinatorOptions& options,
                 TokenBook& tokens)
    : record_(std::move(record)),
      options_(options),
      tokens_(tokens),
      single_(Care::kNone),
      queues_{WorkQueue(true), WorkQueue(false), WorkQueue(false)} {}

void JobCore::Resume(JobRecord record, BytesRef round_state) {
  record_ = std::move(record);
  if (record_.plan == nullptr) {
    record_.state = JobState::kPlanning;
    return;
  }
  tokens_.Hold(record_.plan->result);
  tokens_.Hold(round_state);
  round_state_ = std::move(round_state);
  BeginRound(record_.round);
}

// --- what is left ------------------------------------------------------------

bool JobCore::HasWork() const {
  return HasWork(Care::kNone) || HasWork(Care::kUnbatched) ||
         HasWork(Care::kAlone);
}

bool JobCore::HasWork(Care care) const {
  return single_ == care || !queue(care).empty() ||
         !combines_waiting_[static_cast<std::size_t>(care)].empty();
}

std::optional<Work> JobCore::Take(Care care, const Wish& wish) {
  if (wish.elsewhere_leaves_max > 0) return TakeLeaves(care, wish);
  if (single_ == care) {
    single_.reset();
    if (record_.state == JobState::kPlanning) {
      return Work{TaskKind::kPlan, {0, 1}, care, {}};
    }
    const LeafRun all{0, cover_.leaf_count()};
    return Work{TaskKind::kFinish, all, care, cover_.Collect(all)};
  }
  // Combining first: it frees memory, and later work may wait for it.
  if (auto combine = TakeCombine(care)) return combine;
  return TakeLeaves(care, wish);
}

std::optional<Work> JobCore::TakeLeaves(Care care, const Wish& wish) {
  if (queue(care).empty()) return std::nullopt;
  std::int64_t leaves_max = care == Care::kNone
                                ? NextRunLeaves(wish.thread_count)
                                : std::numeric_limits<std::int64_t>::max() / 4;
  // What failed keeps its bounds.
  if (care == Care::kNone && wish.elsewhere_leaves_max > 0) {
    leaves_max = std::min(leaves_max, wish.elsewhere_leaves_max);
  }
  const std::int64_t leaf_count = cover_.leaf_count();
  const auto run =
      wish.within != nullptr
          ? queue(care).TakeWithin(*wish.within, leaves_max, leaf_count)
      : wish.place.has_value()
          ? queue(care).TakeAt(*wish.place, wish.thread_count, leaves_max,
                               leaf_count)
          : queue(care).Take(leaves_max, leaf_count);
  if (!run.has_value()) return std::nullopt;
  return Work{TaskKind::kCompute, *run, care, {}};
}

std::optional<Work> JobCore::TakeCombine(Care care) {
  std::deque<LeafRun>& waiting = combines_waiting(care);
  while (!waiting.empty()) {
    const LeafRun run = waiting.front();
    waiting.pop_front();
    const auto wanted = combines_.find(run.begin);
    if (wanted == combines_.end() || wanted->second != run.end) continue;
    std::vector<RunInput> inputs = cover_.Collect(run);
    const std::size_t inputs_min = record_.plan->concatenates ? 1 : 2;
    if (cover_.Covers(run) && inputs.size() >= inputs_min) {
      return Work{TaskKind::kCombine, run, care, std::move(inputs)};
    }
    combines_.erase(wanted);
  }
  return std::nullopt;
}

// Guided self-scheduling: a fourth of an even share, so that the last tasks
// are small, but never so small that messages cost more than the work.
std::int64_t JobCore::NextRunLeaves(int thread_count) const {
  const std::int64_t threads = std::max(thread_count, 1);
  const std::int64_t left = queue(Care::kNone).leaf_count();
  std::int64_t leaves = left / (4 * threads);
  if (is_measured_) {
    const std::int64_t worth_it =
        leaf_time_ > absl::ZeroDuration()
            ? absl::ToInt64Nanoseconds(options_.task_time_min) /
                  std::max<std::int64_t>(1,
                                         absl::ToInt64Nanoseconds(leaf_time_))
            : left;
    leaves = std::max(leaves, std::min(worth_it, left / threads));
  }
  leaves = std::max({leaves, min_run_leaves(), std::int64_t{1}});
  const std::int64_t most = record_.plan->max_run_leaves;
  return most > 0 ? std::min(leaves, most) : leaves;
}

std::int64_t JobCore::min_run_leaves() const {
  return record_.plan == nullptr
             ? 1
             : std::max<std::int64_t>(1, record_.plan->min_run_leaves);
}

void JobCore::GiveBack(TaskKind kind, int round, LeafRun run, Care care) {
  switch (kind) {
    case TaskKind::kPlan:
      if (record_.state == JobState::kPlanning) single_ = care;
      return;
    case TaskKind::kFinish:
      if (record_.state == JobState::kFinishing && round == record_.round) {
        single_ = care;
      }
      return;
    case TaskKind::kCombine: {
      const auto wanted = combines_.find(run.begin);
      if (round == record_.round && wanted != combines_.end() &&
          wanted->second == run.end) {
        combines_waiting(care).push_back(run);
      }
      return;
    }
    case TaskKind::kCompute:
      if (record_.state != JobState::kRunning || round != record_.round) {
        return;
      }
      for (const LeafRun gap : cover_.GapsIn(run)) queue(care).Add(gap);
      return;
  }
}

// --- what is reported --------------------------------------------------------

JobCore::Verdict JobCore::OnPlanReady(PlanReady& ready) {
  JobPlan& plan = ready.plan;
  if (record_.state != JobState::kPlanning) {
    tokens_.DropUnlessLive(plan.result);
    return Verdict::kIgnored;
  }
  if (plan.leaf_count < 1 || plan.leaf_count > kLeafCountMax) {
    tokens_.DropUnlessLive(plan.result);
    return Verdict::kBad;
  }
  tokens_.Hold(plan.result);
  record_.plan = std::make_shared<const JobPlan>(std::move(plan));
  BeginRound(0);
  return Verdict::kAccepted;
}

void JobCore::BeginRound(int round) {
  record_.state = JobState::kRunning;
  record_.round = round;
  record_.leaves_done = 0;
  record_.leaves_total = record_.plan->leaf_count;
  single_.reset();
  for (WorkQueue& queue : queues_) queue.Clear();
  DropPartials();
  cover_ = Cover(record_.plan->leaf_count, record_.plan->concatenates);
  queue(Care::kNone).Add({0, record_.plan->leaf_count});
  is_measured_ = false;
  ++brief_version_;
}

void JobCore::DropPartials() {
  for (const BytesRef& partial : cover_.Clear()) tokens_.Drop(partial);
  combines_.clear();
  for (auto& waiting : combines_waiting_) waiting.clear();
}

JobCore::Verdict JobCore::OnCommit(Commit& commit) {
  if (record_.state != JobState::kRunning || commit.round != record_.round) {
    tokens_.DropUnlessLive(commit.partial);
    return Verdict::kIgnored;
  }
  // A second copy: the first is in use.
  if (tokens_.IsLive(commit.partial.token)) return Verdict::kIgnored;
  const bool too_large =
      static_cast<std::int64_t>(commit.partial.inline_bytes.size()) >
      limits::kInlineBytesMax;
  if (!IsAligned(commit.run, cover_.leaf_count()) || too_large) {
    tokens_.Drop(commit.partial);
    return Verdict::kBad;
  }
  const std::string host = commit.partial.host;
  const bool has_token = commit.partial.has_token();
  const bool is_written =
      record_.plan->concatenates && commit.partial.is_empty();
  // Only who has the result may have written to it, and not to an older plan's.
  const BytesRef& result = record_.plan->result;
  if (is_written && record_.plan->result_bytes > 0 &&
      (host != result.host || commit.written_to != result.token)) {
    return Verdict::kBad;
  }
  const BytesRef token_only{"", commit.partial.token, commit.partial.host};
  std::vector<BytesRef> replaced;
  if (!cover_.Accept(commit.run, commit.partial, replaced)) {
    tokens_.Drop(commit.partial);
    return Verdict::kIgnored;
  }
  if (has_token) tokens_.Hold(token_only);
  for (const BytesRef& partial : replaced) tokens_.Drop(partial);
  for (WorkQueue& queue : queues_) queue.Remove(commit.run);
  ForgetCombinesWithin(commit.run);
  record_.leaves_done = cover_.leaves_done();
  record_.traffic += commit.traffic;
  JobShare& share = record_.hosts[host];
  share.traffic += commit.traffic;
  share.busy += commit.busy;
  if (record_.plan->concatenates) {
    if (!is_written) CombineSoon(commit.run);
  } else {
    ConsiderCombining(commit.run);
  }
  return Verdict::kAccepted;
}

void JobCore::Measure(LeafRun run, absl::Duration busy) {
  if (run.empty()) return;
  const absl::Duration each = busy / run.leaf_count();
  leaf_time_ = is_measured_ ? leaf_time_ * 0.8 + each * 0.2 : each;
  is_measured_ = true;
}

void JobCore::ConsiderCombining(LeafRun committed) {
  const auto heavy = cover_.HeavyNodeAbove(committed, options_.combine_bytes,
                                           options_.combine_bytes,
                                           options_.combine_inputs_max);
  if (!heavy.has_value()) return;
  // What is being combined below will look again once it is committed.
  auto at = combines_.lower_bound(heavy->begin);
  if (at != combines_.end() && at->first < heavy->end) return;
  CombineSoon(*heavy);
}

void JobCore::CombineSoon(LeafRun run) {
  combines_[run.begin] = run.end;
  combines_waiting(Care::kNone).push_back(run);
}

void JobCore::ForgetCombinesWithin(LeafRun run) {
  auto at = combines_.lower_bound(run.begin);
  while (at != combines_.end() && at->second <= run.end) {
    at = combines_.erase(at);
  }
}

bool JobCore::FinishWhenComplete() {
  if (record_.state != JobState::kRunning || !cover_.complete() ||
      !combines_.empty()) {
    return false;
  }
  record_.state = JobState::kFinishing;
  single_ = Care::kNone;
  return true;
}

JobCore::Verdict JobCore::OnFinishDone(FinishDone& done) {
  if (record_.state != JobState::kFinishing || done.round != record_.round) {
    if (done.next_state.has_value()) tokens_.DropUnlessLive(*done.next_state);
    for (const BytesRef& result : done.results) tokens_.DropUnlessLive(result);
    return Verdict::kIgnored;
  }
  DropPartials();
  single_.reset();
  tokens_.Drop(round_state_);
  round_state_ = {};
  if (done.next_state.has_value()) {
    tokens_.Hold(*done.next_state);
    round_state_ = *std::move(done.next_state);
    BeginRound(record_.round + 1);
    return Verdict::kAccepted;
  }
  for (const BytesRef& result : done.results) tokens_.Hold(result);
  record_.results = std::move(done.results);
  // The segment that tasks wrote into is the result, named again or not.
  const BytesRef& written = record_.plan->result;
  if (written.has_token() &&
      std::none_of(record_.results.begin(), record_.results.end(),
                   [&](const BytesRef& result) {
                     return result.token == written.token;
                   })) {
    record_.results.push_back(written);
  }
  record_.leaves_done = record_.leaves_total;
  return Verdict::kAccepted;
}

JobCore::Verdict JobCore::OnInputMissing(const InputMissing& missing,
                                         TaskKind kind, LeafRun run) {
  if (missing.round != record_.round || HasEnded(record_.state)) {
    return Verdict::kIgnored;
  }
  if (++void_count_ > kVoidsMax) return Verdict::kBad;
  const auto is_missing = [&](const BytesRef& ref) {
    return ref.has_token() &&
           std::find(missing.tokens.begin(), missing.tokens.end(), ref.token) !=
               missing.tokens.end();
  };
  if (record_.plan != nullptr && is_missing(record_.plan->result)) {
    PlanAnew();
    return Verdict::kAccepted;
  }
  if (is_missing(round_state_)) {
    tokens_.Drop(round_state_);
    round_state_ = {};
    BeginRound(0);
    return Verdict::kAccepted;
  }
  if (record_.state == JobState::kFinishing) {
    if (kind != TaskKind::kFinish) return Verdict::kIgnored;
    record_.state = JobState::kRunning;
    single_.reset();
  }
  // Not where it is on its way as a part of more.
  const auto combine = combines_.find(run.begin);
  const bool combines = kind == TaskKind::kCombine &&
                        combine != combines_.end() &&
                        combine->second == run.end;
  if (combines) combines_.erase(combine);
  bool are_wanted = kind != TaskKind::kCombine || combines;
  for (const Id& token : missing.tokens) {
    const auto voided = cover_.Void(token);
    if (!voided.has_value()) continue;
    are_wanted = true;
    tokens_.Drop(voided->partial);
    queue(Care::kNone).Add(voided->run);
  }
  // Whoever took it over was sooner, and the inputs went.
  if (!are_wanted) return Verdict::kIgnored;
  record_.leaves_done = cover_.leaves_done();
  if (combines && cover_.Covers(run)) {
    CombineSoon(run);
  } else {
    GiveBack(kind, missing.round, run, Care::kNone);
  }
  return Verdict::kAccepted;
}

// What was written is gone with its segment: from the very beginning.
void JobCore::PlanAnew() {
  DropPartials();
  for (WorkQueue& queue : queues_) queue.Clear();
  tokens_.Drop(record_.plan->result);
  record_.plan.reset();
  record_.state = JobState::kPlanning;
  record_.round = 0;
  record_.leaves_done = record_.leaves_total = 0;
  single_ = Care::kNone;
  ++brief_version_;
}

JobCore::Loss JobCore::OnHostLost(const std::string& host) {
  if (HasEnded(record_.state)) return Loss::kNothing;
  const auto is_there = [&](const BytesRef& ref) {
    return ref.has_token() && ref.host == host;
  };
  if (record_.plan != nullptr && is_there(record_.plan->result)) {
    PlanAnew();
    return Loss::kEverything;
  }
  if (is_there(round_state_)) {
    tokens_.Drop(round_state_);
    round_state_ = {};
    BeginRound(0);
    return Loss::kEverything;
  }
  const std::vector<RunInput> voided = cover_.VoidAt(host);
  if (voided.empty()) return Loss::kNothing;
  for (const RunInput& one : voided) {
    tokens_.Drop(one.partial);
    queue(Care::kNone).Add(one.run);
  }
  record_.leaves_done = cover_.leaves_done();
  if (record_.state == JobState::kFinishing) {
    record_.state = JobState::kRunning;
    single_.reset();
  }
  return Loss::kPartials;
}

void JobCore::SetOrder(std::shared_ptr<const JobOrder> order) {
  record_.order = std::move(order);
  ++brief_version_;
}

// --- what has failed ---------------------------------------------------------

bool JobCore::RecordFailure(Attempts::Failure failure) {
  return attempts_.Record(std::move(failure)) >= limits::kAttemptsMax;
}

Care JobCore::CareOf(TaskKind kind, int round, LeafRun run) const {
  const int count = attempts_.Count(kind, round, run);
  if (count == 0) return Care::kNone;
  return count == 1 ? Care::kUnbatched : Care::kAlone;
}

void JobCore::End(JobState state, absl::Status status, absl::Time now) {
  DropPartials();
  single_.reset();
  for (WorkQueue& queue : queues_) queue.Clear();
  tokens_.Drop(round_state_);
  round_state_ = {};
  if (state != JobState::kDone && record_.plan != nullptr) {
    tokens_.Drop(record_.plan->result);
  }
  record_.state = state;
  record_.status = std::move(status);
  record_.ended_at = now;
}

}  // namespace hearth::server
