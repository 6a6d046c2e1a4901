#include "worker/service/wire.h"

#include <string>

#include "hearth/transport/control/codec.h"

namespace hearth::worker {
namespace {

TaskKind KindOf(proto::TaskKind kind) {
  switch (kind) {
    case proto::TASK_KIND_PLAN:
      return TaskKind::kPlan;
    case proto::TASK_KIND_COMBINE:
      return TaskKind::kCombine;
    case proto::TASK_KIND_FINISH:
      return TaskKind::kFinish;
    default:
      return TaskKind::kCompute;
  }
}

LeafRun RunOf(const proto::Run& run) { return {run.begin(), run.end()}; }

void Fill(const Commit& commit, const std::string& host, proto::Report& to) {
  proto::Commit& message = *to.mutable_commit();
  message.set_task(commit.task);
  message.set_job(commit.job);
  message.set_round(commit.round);
  message.mutable_run()->set_begin(commit.run.begin);
  message.mutable_run()->set_end(commit.run.end);
  if (commit.partial.has_token() || !commit.partial.inline_bytes.empty()) {
    *message.mutable_partial() = ToWire(commit.partial, host);
  }
  if (!commit.written_to.zero()) {
    *message.mutable_written_to() = ToProto(commit.written_to);
  }
  message.set_busy_ns(absl::ToInt64Nanoseconds(commit.busy));
  proto::Traffic& traffic = *message.mutable_traffic();
  traffic.set_bytes_mapped(commit.traffic.bytes_mapped);
  traffic.set_bytes_streamed(commit.traffic.bytes_streamed);
  traffic.set_bytes_copied(commit.traffic.bytes_copied);
  traffic.set_bytes_converted(commit.traffic.bytes_converted);
  message.set_task_done(commit.task_done);
  message.set_is_kept(commit.is_kept);
}

void Fill(const TaskFailed& failed, const std::string&, proto::Report& to) {
  proto::TaskFailed& message = *to.mutable_task_failed();
  message.set_task(failed.task);
  message.set_job(failed.job);
  message.set_round(failed.round);
  *message.mutable_failure() = ToProto(failed.status);
}

void Fill(const InputMissing& missing, const std::string&, proto::Report& to) {
  proto::InputMissing& message = *to.mutable_input_missing();
  message.set_task(missing.task);
  message.set_job(missing.job);
  message.set_round(missing.round);
  for (const Id& token : missing.tokens) {
    *message.add_tokens() = ToProto(token);
  }
}

void Fill(const PlanReady& ready, const std::string& host, proto::Report& to) {
  proto::PlanReady& message = *to.mutable_plan_ready();
  message.set_task(ready.task);
  message.set_job(ready.job);
  message.set_leaf_count(ready.plan.leaf_count);
  message.set_concatenates(ready.plan.concatenates);
  message.set_partial_bytes_max(ready.plan.partial_bytes_max);
  message.set_result_bytes(ready.plan.result_bytes);
  message.set_max_run_leaves(ready.plan.max_run_leaves);
  message.set_needs_whole_matrix(ready.plan.needs_whole_matrix);
  if (ready.plan.result.has_token()) {
    *message.mutable_result() = ToWire(ready.plan.result, host);
  }
  message.mutable_description()->ParseFromString(ready.plan.description);
}

void Fill(const FinishDone& done, const std::string& host, proto::Report& to) {
  proto::FinishDone& message = *to.mutable_finish_done();
  message.set_task(done.task);
  message.set_job(done.job);
  message.set_round(done.round);
  if (done.next_state.has_value()) {
    *message.mutable_next_state() = ToWire(*done.next_state, host);
  }
  for (const BytesRef& result : done.results) {
    *message.add_results() = ToWire(result, host);
  }
}

void Fill(const SegmentCopied& copied, const std::string&, proto::Report& to) {
  proto::SegmentCopied& message = *to.mutable_segment_copied();
  message.set_order(copied.order);
  if (!copied.status.ok()) {
    *message.mutable_failure() = ToProto(copied.status);
  }
  if (!copied.token.zero()) *message.mutable_token() = ToProto(copied.token);
}

}  // namespace

BytesRef FromWire(const proto::BytesRef& message) {
  return {
      .inline_bytes = message.inline_bytes(),
      .token = FromProto(message.token()),
      .bytes = message.bytes(),
      .host = message.host(),
      .addresses = {message.addresses().begin(), message.addresses().end()}};
}

proto::BytesRef ToWire(const BytesRef& bytes, const std::string& host) {
  proto::BytesRef message;
  if (bytes.has_token()) {
    *message.mutable_token() = ToProto(bytes.token);
    message.set_host(host);
    message.set_bytes(bytes.bytes);
  } else {
    message.set_inline_bytes(bytes.inline_bytes);
  }
  return message;
}

Task FromWire(const proto::Task& message) {
  Task task{.id = message.id(),
            .kind = KindOf(message.kind()),
            .job = message.job(),
            .round = message.round(),
            .run = RunOf(message.run()),
            .inputs = {}};
  for (const proto::RunInput& input : message.inputs()) {
    task.inputs.push_back({RunOf(input.run()), FromWire(input.partial())});
  }
  return task;
}

proto::Reports ToWire(const Send& batch, const std::string& host) {
  proto::Reports message;
  message.set_sequence(batch.sequence);
  for (const Report& report : batch.reports) {
    std::visit(
        [&](const auto& one) { Fill(one, host, *message.add_reports()); },
        report);
  }
  return message;
}

}  // namespace hearth::worker
