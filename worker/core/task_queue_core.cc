#include "worker/core/task_queue_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"

namespace hearth::worker {
namespace {

template <class... Handlers>
struct Match : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Match(Handlers...) -> Match<Handlers...>;

// What an ignored outcome leaves behind.
std::vector<Id> TokensOf(const Outcome& outcome) {
  if (const auto* whole = std::get_if<WholeDone>(&outcome)) {
    return TokensOf(whole->report);
  }
  std::vector<Id> tokens;
  if (const auto* delivered = std::get_if<Delivered>(&outcome)) {
    for (const BytesRef& partial : delivered->partials) {
      if (partial.has_token()) tokens.push_back(partial.token);
    }
  }
  return tokens;
}

void ShrinkTo(Task& task, std::int64_t end) {
  task.run.end = std::max(task.run.begin, std::min(task.run.end, end));
}

}  // namespace

TaskQueueCore::TaskQueueCore(int thread_count, OutboxOptions options)
    : seats_(static_cast<std::size_t>(std::max(thread_count, 1))),
      outbox_(options) {}

int TaskQueueCore::running_count() const {
  return static_cast<int>(std::count_if(
      seats_.begin(), seats_.end(),
      [](const Seat& seat) { return seat.task.has_value() && seat.wanted; }));
}

// --- what the coordinator says -----------------------------------------------

std::vector<QueueAction> TaskQueueCore::Handle(const QueueEvent& event,
                                               absl::Time now) {
  std::vector<QueueAction> actions;
  std::visit(
      Match{
          [&](const Joined& joined) {
            DropTasksIf([](const Task&) { return true; }, actions);
            for (const auto& [job, brief] : jobs_) {
              actions.emplace_back(Forget{job});
            }
            jobs_.clear();
            outbox_.Connect();
            for (Outbox::Batch& batch : outbox_.Unacknowledged()) {
              actions.emplace_back(
                  Send{batch.sequence, std::move(batch.reports)});
            }
            Flush(actions);
            if (!joined.is_new_coordinator) return;
            for (Commit& commit : ledger_.List()) {
              outbox_.Add(std::move(commit), now);
              if (outbox_.IsDue(now)) Flush(actions);
            }
            Flush(actions);
          },
          [&](const Disconnected&) { outbox_.Disconnect(); },
          [&](const Briefed& brief) {
            DropTasksIf(
                [&](const Task& task) {
                  return task.job == brief.job && task.round != brief.round;
                },
                actions);
            ledger_.BeginRound(brief.job, brief.round);
            jobs_[brief.job] = {brief.round, brief.leaf_count, brief.result};
          },
          [&](const Assigned& assigned) {
            waiting_.insert(waiting_.end(), assigned.tasks.begin(),
                            assigned.tasks.end());
            Wakes(actions);
          },
          [&](const Revoked& revoked) {
            std::vector<std::uint64_t> ids = revoked.tasks;
            std::sort(ids.begin(), ids.end());
            DropTasksIf(
                [&](const Task& task) {
                  return std::binary_search(ids.begin(), ids.end(), task.id);
                },
                actions);
          },
          [&](const Shrunk& shrunk) {
            for (Task& task : waiting_) {
              if (task.id == shrunk.task) ShrinkTo(task, shrunk.new_end);
            }
            for (Seat& seat : seats_) {
              if (!seat.task.has_value() || seat.task->id != shrunk.task) {
                continue;
              }
              // What it has begun it keeps: those leaves are computed twice.
              ShrinkTo(*seat.task, std::max(shrunk.new_end, seat.next_leaf));
            }
          },
          [&](const Released& released) {
            DropTasksIf(
                [&](const Task& task) { return task.job == released.job; },
                actions);
            ledger_.Release(released.job);
            if (jobs_.erase(released.job) > 0) {
              actions.emplace_back(Forget{released.job});
            }
          },
          [&](const Acknowledged& acknowledged) {
            outbox_.Acknowledge(acknowledged.sequence);
          },
          [&](const CopyEnded& ended) {
            outbox_.Add(ended.report, now);
            Flush(actions);
          },
          [&](const TimePassed&) {
            if (outbox_.IsDue(now)) Flush(actions);
          },
      },
      event);
  return actions;
}

template <class Predicate>
void TaskQueueCore::DropTasksIf(Predicate unwanted,
                                std::vector<QueueAction>& actions) {
  std::erase_if(waiting_, unwanted);
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    Seat& seat = seats_[i];
    if (!seat.task.has_value() || !seat.wanted || !unwanted(*seat.task)) {
      continue;
    }
    seat.wanted = false;
    actions.emplace_back(Interrupt{static_cast<int>(i)});
  }
}

void TaskQueueCore::Wakes(std::vector<QueueAction>& actions) const {
  const auto idle = std::count_if(seats_.begin(), seats_.end(),
                                  [](const Seat& seat) { return seat.idle; });
  const auto count =
      std::min(idle, static_cast<std::ptrdiff_t>(waiting_.size()));
  if (count > 0) actions.emplace_back(Wake{static_cast<int>(count)});
}

void TaskQueueCore::Flush(std::vector<QueueAction>& actions) {
  if (auto batch = outbox_.Flush()) {
    actions.emplace_back(Send{batch->sequence, std::move(batch->reports)});
  }
}

// --- a thread's turn ---------------------------------------------------------

TaskQueueCore::Turn TaskQueueCore::Next(int thread, Outcome outcome,
                                        absl::Time now) {
  Turn turn;
  Seat& seat = seats_[static_cast<std::size_t>(thread)];
  seat.idle = false;
  Absorb(seat, std::move(outcome), now, turn.actions);
  turn.step = NextStep(seat, now);
  seat.idle = std::holds_alternative<Idle>(turn.step);
  if (seat.idle || outbox_.IsDue(now)) Flush(turn.actions);
  return turn;
}

void TaskQueueCore::Absorb(Seat& seat, Outcome outcome, absl::Time now,
                           std::vector<QueueAction>& actions) {
  if (!seat.task.has_value() || !seat.wanted) {
    std::vector<Id> tokens = TokensOf(outcome);
    // The segment that all tasks of a concatenating job wrote into is named as
    // its result, but whoever finishes did not make it.
    if (seat.writes_result()) tokens.clear();
    if (!tokens.empty()) actions.emplace_back(DropTokens{std::move(tokens)});
    seat.task.reset();
    seat.wanted = true;
    return;
  }
  std::visit(
      Match{
          [](Nothing&) {},
          [&](LeafDone& done) {
            if (!done.missing.empty()) {
              return AbsorbWhole(
                  seat, InputMissing{.tokens = std::move(done.missing)}, now);
            }
            if (!done.status.ok()) return Fail(seat, done.status, now);
            seat.traffic += done.traffic;
            seat.stack.Push({seat.next_leaf - 1, seat.next_leaf});
          },
          [&](SlotsCombined& combined) {
            if (!combined.status.ok()) return Fail(seat, combined.status, now);
            seat.stack.Combine();
          },
          [&](Delivered& delivered) {
            if (delivered.status.ok() &&
                delivered.partials.size() == seat.stack.runs().size()) {
              return CommitRuns(seat, std::move(delivered.partials), now);
            }
            std::vector<Id> tokens = TokensOf(Outcome(delivered));
            if (!tokens.empty()) {
              actions.emplace_back(DropTokens{std::move(tokens)});
            }
            Fail(seat,
                 delivered.status.ok()
                     ? Error(Reason::kInternal,
                             "deliver partials: not one for each run")
                     : delivered.status,
                 now);
          },
          [&](WholeDone& whole) {
            AbsorbWhole(seat, std::move(whole.report), now);
          },
      },
      outcome);
}

void TaskQueueCore::AbsorbWhole(Seat& seat, Report report, absl::Time now) {
  const Task task = *std::exchange(seat.task, std::nullopt);
  std::visit(
      [&](auto& what) {
        if constexpr (requires { what.task; }) {
          what.task = task.id;
          what.job = task.job;
        }
        if constexpr (requires { what.round; }) what.round = task.round;
        if constexpr (requires { what.busy; }) {
          what.run = task.run;
          what.busy = now - seat.started_at;
          what.task_done = true;
        }
      },
      report);
  if (auto* commit = std::get_if<Commit>(&report)) {
    commit->written_to = seat.result;
    return AddCommit(std::move(*commit), now);
  }
  outbox_.Add(std::move(report), now);
}

void TaskQueueCore::AddCommit(Commit commit, absl::Time now) {
  ledger_.Add(commit);
  outbox_.Add(std::move(commit), now);
}

void TaskQueueCore::CommitRuns(Seat& seat, std::vector<BytesRef> partials,
                               absl::Time now) {
  const Task task = *std::exchange(seat.task, std::nullopt);
  const std::vector<LeafRun>& runs = seat.stack.runs();
  const absl::Duration busy = now - seat.started_at;
  const std::int64_t leaves = runs.back().end - runs.front().begin;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Commit commit{
        .task = task.id,
        .job = task.job,
        .round = task.round,
        .run = runs[i],
        .partial = {},
        .written_to = seat.result,
        .busy = busy * runs[i].leaf_count() / leaves,
        .traffic = {},
        .is_kept = seat.traffic.bytes_kept == seat.traffic.bytes_streamed,
        .task_done = i + 1 == runs.size()};
    if (!partials.empty()) commit.partial = std::move(partials[i]);
    if (commit.task_done) commit.traffic = seat.traffic;
    AddCommit(std::move(commit), now);
  }
}

void TaskQueueCore::Fail(Seat& seat, absl::Status status, absl::Time now) {
  const Task task = *std::exchange(seat.task, std::nullopt);
  outbox_.Add(TaskFailed{task.id, task.job, task.round, std::move(status)},
              now);
}

Step TaskQueueCore::NextStep(Seat& seat, absl::Time now) {
  while (true) {
    if (!seat.task.has_value() && !StartNextTask(seat, now)) return Idle{};
    const Task& task = *seat.task;
    if (task.kind != TaskKind::kCompute) return RunTask{task};
    while (seat.writes_result() && seat.stack.CanCombine())
      seat.stack.Combine();
    if (seat.stack.CanCombine()) {
      const int right = seat.stack.top();
      return CombineSlots{task.job, task.round, right - 1, right};
    }
    if (seat.next_leaf < task.run.end) {
      return ComputeLeaf{task.job, task.round, seat.next_leaf++,
                         seat.writes_result() ? -1 : seat.stack.top() + 1};
    }
    if (!seat.writes_result()) {
      return DeliverSlots{task.job, task.round, seat.stack.runs()};
    }
    CommitRuns(seat, {}, now);
  }
}

bool TaskQueueCore::StartNextTask(Seat& seat, absl::Time now) {
  while (!waiting_.empty()) {
    seat.task = std::move(waiting_.front());
    waiting_.pop_front();
    const auto brief = jobs_.find(seat.task->job);
    seat.result = {};
    if (brief == jobs_.end() || brief->second.round != seat.task->round) {
      Fail(
          seat,
          Error(Reason::kInternal, absl::StrCat("start task ", seat.task->id,
                                                " of job j", seat.task->job,
                                                ": no brief for its round came "
                                                "before it")),
          now);
      continue;
    }
    if (seat.task->kind == TaskKind::kCompute && seat.task->run.empty()) {
      seat.task.reset();  // shrunk to nothing: another worker has all of it
      continue;
    }
    seat.wanted = true;
    seat.result = brief->second.result;
    seat.next_leaf = seat.task->run.begin;
    seat.stack = RunStack(brief->second.leaf_count);
    seat.traffic = {};
    seat.started_at = now;
    return true;
  }
  return false;
}

}  // namespace hearth::worker
