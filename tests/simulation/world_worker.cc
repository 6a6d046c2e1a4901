// Processes, their threads and segments, and what befalls them.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "tests/simulation/model.h"
#include "tests/simulation/translate.h"
#include "tests/simulation/world.h"

namespace hearth::simulation {
namespace {

template <class... Handlers>
struct Match : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Match(Handlers...) -> Match<Handlers...>;

}  // namespace

void World::Start(int slot) {
  const ProcessPtr& before = processes_[static_cast<std::size_t>(slot)];
  if (before != nullptr && before->alive) return;
  auto process = std::make_shared<Process>();
  process->slot = slot;
  process->host = HostName(HostOf(slot));
  process->incarnation = NewId();
  process->pid = next_pid_++;
  if (Happens(scenario_.slow_share)) process->slowness = 20;
  const int threads =
      1 +
      static_cast<int>(Pick(static_cast<std::size_t>(scenario_.threads_max)));
  process->queue = std::make_unique<worker::TaskQueueCore>(threads);
  process->threads.resize(static_cast<std::size_t>(threads));
  processes_[static_cast<std::size_t>(slot)] = process;
  for (std::size_t i = 0; i < process->threads.size(); ++i) {
    Turn(process, i, worker::Nothing{});
  }
  Connect(process);
  Beat(process);
}

void World::Beat(const ProcessPtr& process) {
  if (!process->alive) return;
  const auto stream = streams_.find(process->stream);
  if (stream != streams_.end() && stream->second.epoch != 0 &&
      process->frozen_until <= now_) {
    const server::Heartbeat beat{stream->second.worker, stream->second.epoch,
                                 scenario_.free_bytes,
                                 !process->copying.empty()};
    SendUp(process->stream, [this, beat] { Tell(beat); });
  }
  After(absl::Seconds(1), [this, process] { Beat(process); });
}

void World::Kill(const ProcessPtr& process, const std::string& how) {
  if (!process->alive) return;
  process->alive = false;
  ++counts_.deaths;
  if (process->stream != 0) {
    Break(process->stream, /*coordinator_knows=*/false);
  }
  // The story may come before or after the broken stream is noticed; what the
  // keeper still holds of it is looked at later.
  After(UpTo(absl::Seconds(3)), [this, process, how] {
    Tell(server::WorkerStory{process->host, process->pid, how});
  });
  TellLeftovers(process);
  if (!scenario_.restarts) return;
  After(absl::Milliseconds(50) + UpTo(absl::Milliseconds(500)),
        [this, slot = process->slot] { Start(slot); });
}

// By a sibling: the keeper holds what a dead process made.
void World::TellLeftovers(const ProcessPtr& process) {
  After(absl::Seconds(10) + UpTo(absl::Seconds(3)), [this, process] {
    server::TokensLeft left{process->host, {}};
    for (const auto& [token, segment] : segments_) {
      if (segment.maker == process->incarnation) left.tokens.push_back(token);
    }
    Tell(std::move(left));
  });
}

// --- the queue core's surroundings -------------------------------------------

void World::Hear(const ProcessPtr& process, const worker::QueueEvent& event) {
  Do(process, process->queue->Handle(event, now_));
}

void World::Do(const ProcessPtr& process,
               const std::vector<worker::QueueAction>& actions) {
  for (const worker::QueueAction& action : actions) {
    std::visit(
        Match{
            [&](const worker::Wake& wake) {
              int woken = 0;
              for (std::size_t i = 0; i < process->threads.size(); ++i) {
                Thread& thread = process->threads[i];
                if (!thread.idle || woken == wake.thread_count) continue;
                ++woken;
                thread.idle = false;
                const std::uint64_t turn = ++thread.turn;
                After(UpTo(absl::Microseconds(50)), [this, process, i, turn] {
                  if (!process->alive || process->threads[i].turn != turn) {
                    return;
                  }
                  Turn(process, i, worker::Nothing{});
                });
              }
            },
            [&](const worker::Interrupt& interrupt) {
              // The flag is looked at between row blocks.
              const auto i = static_cast<std::size_t>(interrupt.thread);
              const std::uint64_t turn = ++process->threads[i].turn;
              After(UpTo(absl::Milliseconds(20)),
                    [this, process, i, turn] { FinishStep(process, i, turn); });
            },
            [&](const worker::Send& send) {
              const auto stream = streams_.find(process->stream);
              if (stream == streams_.end()) return;
              server::WorkerReported reported{.worker = stream->second.worker,
                                              .epoch = stream->second.epoch,
                                              .sequence = send.sequence,
                                              .reports = {}};
              if (send.sequence <= process->last_sequence) {
                ++counts_.sent_again;
              }
              process->last_sequence =
                  std::max(process->last_sequence, send.sequence);
              for (const worker::Report& report : send.reports) {
                if (std::holds_alternative<worker::InputMissing>(report)) {
                  ++counts_.inputs_missing;
                }
                if (std::holds_alternative<worker::TaskFailed>(report)) {
                  ++disruptions_;
                }
                reported.reports.push_back(ToServer(report));
              }
              SendUp(process->stream, [this, reported] { Tell(reported); });
            },
            [&](const worker::Forget& forget) {
              process->jobs.erase(forget.job);
            },
            [&](const worker::DropTokens& drop) {
              for (const Id& token : drop.tokens) segments_.erase(token);
            },
        },
        action);
  }
  const absl::Time flush_at = process->queue->flush_at();
  if (flush_at == absl::InfiniteFuture()) return;
  At(std::max(flush_at, now_), [this, process, flush_at] {
    // Not the one that was waited for: another timer runs for that.
    if (process->alive && process->queue->flush_at() == flush_at) {
      Hear(process, worker::TimePassed{});
    }
  });
}

void World::Turn(const ProcessPtr& process, std::size_t index,
                 worker::Outcome outcome) {
  worker::TaskQueueCore::Turn next =
      process->queue->Next(static_cast<int>(index), std::move(outcome), now_);
  Thread& thread = process->threads[index];
  thread.step = std::move(next.step);
  thread.idle = std::holds_alternative<worker::Idle>(thread.step);
  const std::uint64_t turn = ++thread.turn;
  Do(process, next.actions);
  if (thread.idle) return;
  After(TimeOf(*process, thread.step) * process->slowness,
        [this, process, index, turn] { FinishStep(process, index, turn); });
}

void World::FinishStep(const ProcessPtr& process, std::size_t index,
                       std::uint64_t turn) {
  if (!process->alive || process->threads[index].turn != turn) return;
  if (process->frozen_until > now_) {
    At(process->frozen_until,
       [this, process, index, turn] { FinishStep(process, index, turn); });
    return;
  }
  worker::Outcome outcome = Carry(process, process->threads[index]);
  if (process->alive) Turn(process, index, std::move(outcome));
}

absl::Duration World::TimeOf(const Process& process, const worker::Step& step) {
  if (const auto* leaf = std::get_if<worker::ComputeLeaf>(&step)) {
    const auto job = process.jobs.find(leaf->job);
    if (job == process.jobs.end()) return absl::ZeroDuration();
    const absl::Duration mean = scenario_.jobs[job->second.script].leaf_time;
    return mean / 2 + UpTo(mean);
  }
  if (std::holds_alternative<worker::RunTask>(step)) {
    return UpTo(absl::Milliseconds(2));
  }
  return absl::Microseconds(1);
}

worker::Outcome World::Carry(const ProcessPtr& process, Thread& thread) {
  if (const auto* leaf = std::get_if<worker::ComputeLeaf>(&thread.step)) {
    ++leaves_computed_;
    const auto known = process->jobs.find(leaf->job);
    if (known == process->jobs.end()) return worker::LeafDone{};  // interrupted
    const JobCache& job = known->second;
    const JobScript& script = scenario_.jobs[job.script];
    if (script.deadly_leaf == leaf->leaf) {
      ++jobs_[job.script].deaths_by_leaf;
      Kill(process, "killed by signal 11 (SIGSEGV)");
      return worker::Nothing{};
    }
    if (script.refused_leaf == leaf->leaf) {
      return worker::LeafDone{
          .status = Error(Reason::kBadParameter, "this leaf is refused")};
    }
    if (Happens(script.flaky)) {
      return worker::LeafDone{.status = absl::UnavailableError("try again")};
    }
    if (!CanRead(job, leaf->leaf)) {
      return worker::LeafDone{
          .status = Error(Reason::kSegmentGone, "nobody serves the matrix")};
    }
    if (leaf->slot < 0) {
      const auto result = segments_.find(job.result);
      if (result == segments_.end()) {
        return worker::LeafDone{.missing = {job.result}};
      }
      if (result->second.host != process->host) {
        Problem("a result is written from another host");
      }
      result->second.rows[static_cast<std::size_t>(leaf->leaf)] =
          LeafValue(job.script, job.state, leaf->leaf);
      return worker::LeafDone{};
    }
    if (!job.missing_state.zero()) {
      return worker::LeafDone{.missing = {job.missing_state}};
    }
    const auto slot = static_cast<std::size_t>(leaf->slot);
    if (job.hands_over) {
      if (thread.row_slots.size() <= slot) thread.row_slots.resize(slot + 1);
      thread.row_slots[slot] = {LeafValue(job.script, job.state, leaf->leaf)};
      return worker::LeafDone{};
    }
    if (thread.slots.size() <= slot) thread.slots.resize(slot + 1);
    thread.slots[slot] = LeafValue(job.script, job.state, leaf->leaf);
    return worker::LeafDone{};
  }
  if (const auto* combine = std::get_if<worker::CombineSlots>(&thread.step)) {
    const auto known = process->jobs.find(combine->job);
    if (known != process->jobs.end() && known->second.hands_over) {
      Rows& rows = thread.row_slots[static_cast<std::size_t>(combine->left)];
      const Rows& right =
          thread.row_slots[static_cast<std::size_t>(combine->right)];
      rows.insert(rows.end(), right.begin(), right.end());
      return worker::SlotsCombined{};
    }
    std::uint64_t& left = thread.slots[static_cast<std::size_t>(combine->left)];
    left =
        Combined(left, thread.slots[static_cast<std::size_t>(combine->right)]);
    return worker::SlotsCombined{};
  }
  if (const auto* deliver = std::get_if<worker::DeliverSlots>(&thread.step)) {
    worker::Delivered delivered;
    const auto job = process->jobs.find(deliver->job);
    const bool large = job != process->jobs.end() &&
                       scenario_.jobs[job->second.script].large_partials;
    for (std::size_t i = 0; i < deliver->runs.size(); ++i) {
      if (job != process->jobs.end() && job->second.hands_over) {
        delivered.partials.push_back(
            KeepRows(*process, thread.row_slots[i], large));
        continue;
      }
      delivered.partials.push_back(
          Keep(*process, thread.slots[i], large, /*is_partial=*/true));
    }
    return delivered;
  }
  if (const auto* run = std::get_if<worker::RunTask>(&thread.step)) {
    return worker::WholeDone{CarryWhole(process, run->task)};
  }
  return worker::Nothing{};
}

worker::BytesRef World::Keep(const Process& process, std::uint64_t value,
                             bool as_segment, bool is_partial) {
  if (!as_segment) return {Encode(value), {}};
  const Id token = NewId();
  segments_[token] = {.value = value,
                      .rows = {},
                      .maker = process.incarnation,
                      .host = process.host,
                      .is_partial = is_partial};
  return {"", token};
}

worker::BytesRef World::KeepRows(const Process& process, Rows rows,
                                 bool as_segment) {
  if (!as_segment) return {Encode(rows), {}};
  const Id token = NewId();
  segments_[token] = {.value = 0,
                      .rows = std::move(rows),
                      .maker = process.incarnation,
                      .host = process.host,
                      .is_partial = true};
  return {"", token};
}

worker::Report World::Gather(const JobCache& job, const worker::Task& task) {
  const auto result = segments_.find(job.result);
  if (result == segments_.end()) {
    return worker::InputMissing{.tokens = {job.result}};
  }
  for (const worker::RunInput& input : task.inputs) {
    Rows rows = DecodeRows(input.partial.inline_bytes);
    if (input.partial.has_token()) {
      const auto segment = segments_.find(input.partial.token);
      if (segment == segments_.end()) {
        return worker::InputMissing{.tokens = {input.partial.token}};
      }
      rows = segment->second.rows;
    }
    if (std::ssize(rows) != input.run.leaf_count()) {
      Problem("a part of a result has not the rows of its run");
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      result->second.rows[static_cast<std::size_t>(input.run.begin) + i] =
          rows[i];
    }
    ++counts_.gathered;
  }
  return worker::Commit{};
}

worker::Report World::CarryWhole(const ProcessPtr& process,
                                 const worker::Task& task) {
  const auto known = process->jobs.find(task.job);
  if (known == process->jobs.end()) return worker::TaskFailed{};
  const JobCache& job = known->second;
  const JobScript& script = scenario_.jobs[job.script];
  if (Happens(script.flaky)) {
    return worker::TaskFailed{.status = absl::UnavailableError("try again")};
  }
  if (task.kind == worker::TaskKind::kPlan) {
    worker::PlanReady ready;
    ready.plan.leaf_count = script.leaf_count;
    ready.plan.concatenates = script.concatenates;
    ready.plan.result_bytes = 8 * script.leaf_count;
    ready.plan.min_run_leaves = script.min_run_leaves;
    if (script.concatenates) {
      ready.plan.result = Keep(*process, 0, true, /*is_partial=*/false);
      segments_[ready.plan.result.token].rows.resize(
          static_cast<std::size_t>(script.leaf_count));
    }
    return ready;
  }
  if (task.kind == worker::TaskKind::kFinish && script.concatenates) {
    if (!segments_.contains(job.result)) {
      return worker::InputMissing{.tokens = {job.result}};
    }
    return worker::FinishDone{.results = {{"", job.result}}};
  }

  if (task.kind == worker::TaskKind::kCombine && script.concatenates) {
    if (job.hands_over) Problem("rows are gathered on another host");
    return Gather(job, task);
  }

  worker::InputMissing missing;
  if (task.kind == worker::TaskKind::kFinish && !job.missing_state.zero()) {
    missing.tokens.push_back(job.missing_state);
  }
  for (const worker::RunInput& input : task.inputs) {
    if (input.partial.has_token() && !segments_.contains(input.partial.token)) {
      missing.tokens.push_back(input.partial.token);
    }
  }
  if (!missing.tokens.empty()) return missing;
  RunStack stack(script.leaf_count);
  std::vector<std::uint64_t> slots;
  for (const worker::RunInput& input : task.inputs) {
    stack.Push(input.run);
    slots.push_back(input.partial.has_token()
                        ? segments_.at(input.partial.token).value
                        : Decode(input.partial.inline_bytes));
    while (stack.CanCombine()) {
      stack.Combine();
      const std::uint64_t right = slots.back();
      slots.pop_back();
      slots.back() = Combined(slots.back(), right);
    }
  }
  if (slots.size() != 1 || stack.runs()[0] != task.run) {
    Problem("the inputs of a task do not cover its run");
    return worker::TaskFailed{};
  }
  if (task.kind == worker::TaskKind::kCombine) {
    return worker::Commit{
        .partial = Keep(*process, slots[0], script.large_partials, true)};
  }
  const worker::BytesRef outcome =
      Keep(*process, Finished(slots[0], job.state), script.large_partials,
           /*is_partial=*/task.round + 1 < script.rounds);
  worker::FinishDone done;
  if (task.round + 1 < script.rounds) {
    done.next_state = outcome;
  } else {
    done.results = {outcome};
  }
  return done;
}

// --- troubles ----------------------------------------------------------------

World::ProcessPtr World::AnyProcess() {
  const ProcessPtr process = processes_[Pick(processes_.size())];
  return process != nullptr && process->alive ? process : nullptr;
}

void World::KillOne() {
  if (const auto process = AnyProcess()) Kill(process, "killed by signal 9");
}
void World::BreakOne() {
  const auto process = AnyProcess();
  if (process != nullptr) Break(process->stream, /*coordinator_knows=*/false);
}
void World::FreezeOne() {
  if (const auto process = AnyProcess()) {
    process->frozen_until = now_ + UpTo(absl::Seconds(15));
  }
}
// As when a host is short of memory, or somebody is wrong about a token.
void World::LoseToken() {
  std::vector<Id> partials;
  for (const auto& [token, segment] : segments_) {
    if (segment.is_partial) partials.push_back(token);
  }
  if (!partials.empty()) segments_.erase(partials[Pick(partials.size())]);
}

}  // namespace hearth::simulation
