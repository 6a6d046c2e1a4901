// Between the two cores' words, as the shells do it through protobuf.
#pragma once

#include <utility>
#include <variant>
#include <vector>

#include "server/core/actions.h"
#include "server/core/events.h"
#include "worker/core/task_queue_core.h"

namespace hearth::simulation {

inline worker::BytesRef ToWorker(const server::BytesRef& ref) {
  return {ref.inline_bytes, ref.token};
}
inline server::BytesRef ToServer(const worker::BytesRef& ref) {
  return {ref.inline_bytes, ref.token, ""};
}

inline worker::Task ToWorker(const server::Task& task) {
  worker::Task translated{.id = NumberOf(task.id),
                          .kind = static_cast<worker::TaskKind>(task.kind),
                          .job = NumberOf(task.job),
                          .round = task.round,
                          .run = task.run,
                          .inputs = {}};
  for (const server::RunInput& input : task.inputs) {
    translated.inputs.push_back({input.run, ToWorker(input.partial)});
  }
  return translated;
}

inline server::Report ToServer(const worker::Report& report) {
  if (const auto* commit = std::get_if<worker::Commit>(&report)) {
    server::Commit translated{.task = server::TaskId{commit->task},
                              .job = server::JobId{commit->job},
                              .round = commit->round,
                              .run = commit->run,
                              .partial = ToServer(commit->partial),
                              .written_to = commit->written_to,
                              .busy = commit->busy,
                              .traffic = {},
                              .task_done = commit->task_done};
    translated.traffic.bytes_mapped = commit->traffic.bytes_mapped;
    return translated;
  }
  if (const auto* failed = std::get_if<worker::TaskFailed>(&report)) {
    return server::TaskFailed{server::TaskId{failed->task},
                              server::JobId{failed->job}, failed->round,
                              failed->status};
  }
  if (const auto* missing = std::get_if<worker::InputMissing>(&report)) {
    return server::InputMissing{server::TaskId{missing->task},
                                server::JobId{missing->job}, missing->round,
                                missing->tokens};
  }
  if (const auto* ready = std::get_if<worker::PlanReady>(&report)) {
    server::PlanReady translated{
        server::TaskId{ready->task}, server::JobId{ready->job}, {}};
    translated.plan.leaf_count = ready->plan.leaf_count;
    translated.plan.concatenates = ready->plan.concatenates;
    translated.plan.result = ToServer(ready->plan.result);
    translated.plan.result_bytes = ready->plan.result_bytes;
    translated.plan.min_run_leaves = ready->plan.min_run_leaves;
    return translated;
  }
  if (const auto* copied = std::get_if<worker::SegmentCopied>(&report)) {
    return server::SegmentCopied{copied->order, copied->status, copied->token};
  }
  const auto& done = std::get<worker::FinishDone>(report);
  server::FinishDone translated{
      server::TaskId{done.task}, server::JobId{done.job}, done.round, {}, {}};
  if (done.next_state.has_value()) {
    translated.next_state = ToServer(*done.next_state);
  }
  for (const worker::BytesRef& result : done.results) {
    translated.results.push_back(ToServer(result));
  }
  return translated;
}

}  // namespace hearth::simulation
