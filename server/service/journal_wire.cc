#include "server/service/journal_wire.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/control/codec.h"
#include "protos/journal.pb.h"
#include "server/service/wire.h"

namespace hearth::server {
namespace {

// Addresses are the living workers', and not kept.
const MembershipCore& Nobody() {
  static const MembershipCore nobody{absl::Seconds(1)};
  return nobody;
}

std::int64_t ToUnix(absl::Time time, const Moment& now) {
  return absl::ToUnixNanos(now.wall + (time - now.core));
}
absl::Time FromUnix(std::int64_t nanoseconds, const Moment& now) {
  const absl::Duration ago = now.wall - absl::FromUnixNanos(nanoseconds);
  return now.core - std::max(ago, absl::ZeroDuration());
}

proto::JournalPlan ToMessage(const JobPlan& plan) {
  proto::JournalPlan message;
  message.set_leaf_count(plan.leaf_count);
  message.set_concatenates(plan.concatenates);
  message.set_partial_bytes_max(plan.partial_bytes_max);
  message.set_result_bytes(plan.result_bytes);
  *message.mutable_result() = ToWire(plan.result, Nobody());
  message.set_description(plan.description);
  message.set_min_run_leaves(plan.min_run_leaves);
  message.set_max_run_leaves(plan.max_run_leaves);
  message.set_needs_whole_matrix(plan.needs_whole_matrix);
  return message;
}

JobPlan FromMessage(const proto::JournalPlan& message) {
  return {.leaf_count = std::max<std::int64_t>(1, message.leaf_count()),
          .concatenates = message.concatenates(),
          .partial_bytes_max = message.partial_bytes_max(),
          .result_bytes = message.result_bytes(),
          .result = FromWire(message.result()),
          .description = message.description(),
          .min_run_leaves = message.min_run_leaves(),
          .max_run_leaves = message.max_run_leaves(),
          .needs_whole_matrix = message.needs_whole_matrix()};
}

absl::StatusOr<std::shared_ptr<const JobOrder>> OrderFrom(
    const proto::JournalJob& message) {
  JobOrder order;
  order.operation = message.operation();
  order.arguments = message.arguments();
  HEARTH_ASSIGN_OR_RETURN(MatrixRecord matrix, FromWire(message.matrix()));
  order.matrix = std::make_shared<const MatrixRecord>(std::move(matrix));
  for (const auto& [name, record] : message.parameters()) {
    HEARTH_ASSIGN_OR_RETURN(MatrixRecord parameter, FromWire(record));
    order.parameters[name] =
        std::make_shared<const MatrixRecord>(std::move(parameter));
  }
  order.max_workers = message.max_workers();
  order.replay = message.replay();
  return std::make_shared<const JobOrder>(std::move(order));
}

absl::StatusOr<KeptJob> JobFrom(const std::string& bytes, const Moment& now) {
  proto::JournalJob message;
  if (!message.ParseFromString(bytes) || message.id() == 0 ||
      message.state() > static_cast<std::uint32_t>(JobState::kCancelled)) {
    return Error(Reason::kBadFile, "it is damaged");
  }
  KeptJob job;
  JobRecord& record = job.record;
  record.id = JobId{message.id()};
  record.client_key = message.client_key();
  HEARTH_ASSIGN_OR_RETURN(record.order, OrderFrom(message));
  if (message.has_plan()) {
    record.plan = std::make_shared<const JobPlan>(FromMessage(message.plan()));
  }
  record.state = static_cast<JobState>(message.state());
  record.round = message.round();
  record.leaves_done = message.leaves_done();
  record.leaves_total = message.leaves_total();
  record.retries = message.retries();
  record.workers_used = message.workers_used();
  record.traffic = FromWire(message.traffic());
  for (const auto& [host, share] : message.shares()) {
    record.hosts[host] = {.workers_used = share.workers_used(),
                          .traffic = FromWire(share.traffic()),
                          .busy = absl::Nanoseconds(share.busy_ns())};
  }
  record.submitted_at = FromUnix(message.submitted_unix_ns(), now);
  record.ended_at = FromUnix(message.ended_unix_ns(), now);
  record.status = FromProto(message.failure());
  for (const proto::BytesRef& result : message.results()) {
    record.results.push_back(FromWire(result));
  }
  job.round_state = FromWire(message.round_state());
  return job;
}

}  // namespace

Journal::Change ToRow(const MatrixRecord& matrix) {
  return {Journal::Kind::kMatrix, matrix.name,
          ToWire(matrix, Nobody()).SerializeAsString()};
}

Journal::Change ToRow(const KeptJob& job, const Moment& now) {
  const JobRecord& record = job.record;
  proto::JournalJob message;
  message.set_id(NumberOf(record.id));
  message.set_client_key(record.client_key);
  message.set_operation(record.order->operation);
  message.set_arguments(record.order->arguments);
  *message.mutable_matrix() = ToWire(*record.order->matrix, Nobody());
  for (const auto& [name, parameter] : record.order->parameters) {
    (*message.mutable_parameters())[name] = ToWire(*parameter, Nobody());
  }
  message.set_max_workers(record.order->max_workers);
  message.set_replay(record.order->replay);
  if (record.plan != nullptr) *message.mutable_plan() = ToMessage(*record.plan);
  message.set_state(static_cast<std::uint32_t>(record.state));
  message.set_round(record.round);
  *message.mutable_round_state() = ToWire(job.round_state, Nobody());
  message.set_leaves_done(record.leaves_done);
  message.set_leaves_total(record.leaves_total);
  message.set_retries(record.retries);
  message.set_workers_used(record.workers_used);
  *message.mutable_traffic() = ToWire(record.traffic);
  for (const auto& [host, share] : record.hosts) {
    proto::JournalShare& part = (*message.mutable_shares())[host];
    part.set_workers_used(share.workers_used);
    *part.mutable_traffic() = ToWire(share.traffic);
    part.set_busy_ns(absl::ToInt64Nanoseconds(share.busy));
  }
  message.set_submitted_unix_ns(ToUnix(record.submitted_at, now));
  message.set_ended_unix_ns(ToUnix(record.ended_at, now));
  if (!record.status.ok()) *message.mutable_failure() = ToProto(record.status);
  for (const BytesRef& result : record.results) {
    *message.add_results() = ToWire(result, Nobody());
  }
  return {Journal::Kind::kJob, ToString(record.id),
          message.SerializeAsString()};
}

Journal::Change NumberRow(const std::string& name, std::uint64_t number) {
  return {Journal::Kind::kNumber, name, absl::StrCat(number)};
}

std::uint64_t NumberIn(const std::vector<Journal::Row>& rows,
                       const std::string& name) {
  std::uint64_t number = 0;
  for (const Journal::Row& row : rows) {
    if (row.kind == Journal::Kind::kNumber && row.key == name &&
        !absl::SimpleAtoi(row.value, &number)) {
      number = 0;
    }
  }
  return number;
}

absl::StatusOr<Recovered> FromRows(const std::vector<Journal::Row>& rows,
                                   const Moment& now) {
  const auto damaged = [](absl::string_view what, const std::string& key,
                          const absl::Status& why) {
    return Error(Reason::kBadFile,
                 absl::StrCat("read the journal: ", what, " \"", key,
                              "\": ", why.message(),
                              "; move the file away to start with nothing"));
  };
  Recovered past;
  past.life = NumberIn(rows, kLife) + 1;
  past.next_worker = std::max<std::uint64_t>(1, NumberIn(rows, kNextWorker));
  past.next_job = std::max<std::uint64_t>(1, NumberIn(rows, kNextJob));
  for (const Journal::Row& row : rows) {
    if (row.kind == Journal::Kind::kMatrix) {
      proto::MatrixRecord message;
      message.ParseFromString(row.value);
      auto matrix = FromWire(message);
      if (!matrix.ok()) return damaged("matrix", row.key, matrix.status());
      past.matrices.push_back(*std::move(matrix));
    } else if (row.kind == Journal::Kind::kJob) {
      auto job = JobFrom(row.value, now);
      if (!job.ok()) return damaged("job", row.key, job.status());
      past.next_job = std::max(past.next_job, NumberOf(job->record.id) + 1);
      past.jobs.push_back(*std::move(job));
    }
  }
  // Those that ended are let go in the order they did.
  std::stable_sort(past.jobs.begin(), past.jobs.end(),
                   [](const KeptJob& a, const KeptJob& b) {
                     return a.record.ended_at < b.record.ended_at;
                   });
  return past;
}

}  // namespace hearth::server
