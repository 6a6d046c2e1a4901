#include "server/service/summary.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/base/version.h"
#include "hearth/transport/control/codec.h"
#include "server/service/wire.h"

namespace hearth::server {
namespace {

// "0.1" of "0.1.7".
absl::string_view MinorOf(absl::string_view version) {
  return version.substr(0, version.rfind('.'));
}

proto::PlanDescription DescriptionOf(const JobRecord& record) {
  proto::PlanDescription description;
  if (record.plan != nullptr) {
    description.ParseFromString(record.plan->description);
  }
  return description;
}

// Leaves are the core's unit, row blocks the user's.
void SetProgress(const JobRecord& record, std::int64_t row_blocks,
                 proto::JobSummary& summary) {
  summary.set_total(row_blocks);
  if (record.leaves_total == 0) return;
  summary.set_done(
      static_cast<std::int64_t>(static_cast<double>(row_blocks) *
                                static_cast<double>(record.leaves_done) /
                                static_cast<double>(record.leaves_total)));
}

}  // namespace

proto::JobSummary SummaryOf(const JobRecord& record) {
  proto::JobSummary summary;
  summary.set_id(ToString(record.id));
  summary.set_operation(record.order->operation);
  const MatrixRecord& matrix = *record.order->matrix;
  summary.set_matrix(matrix.name);
  if (const auto* file = std::get_if<FileSource>(&matrix.source);
      matrix.name.empty() && file != nullptr) {
    summary.set_matrix(ValidUtf8(file->path));
  }
  summary.set_state(std::string(NameOf(record.state)));
  SetProgress(record, RowBlocksOf(matrix), summary);
  return summary;
}

proto::JobUpdate UpdateOf(const JobRecord& record,
                          const MembershipCore& members, absl::Time now) {
  proto::JobUpdate update;
  *update.mutable_summary() = SummaryOf(record);
  const proto::PlanDescription description = DescriptionOf(record);
  proto::JobStatistics& statistics = *update.mutable_statistics();
  const absl::Time until = HasEnded(record.state) ? record.ended_at : now;
  statistics.set_seconds(absl::ToDoubleSeconds(until - record.submitted_at));
  statistics.set_workers(record.workers_used);
  statistics.set_row_blocks(description.row_blocks());
  statistics.set_bytes_mapped(record.traffic.bytes_mapped);
  statistics.set_bytes_streamed(record.traffic.bytes_streamed);
  statistics.set_bytes_copied(record.traffic.bytes_copied);
  statistics.set_bytes_converted(record.traffic.bytes_converted);
  statistics.set_retries(record.retries);
  for (const auto& [host, share] : record.hosts) {
    proto::HostStatistics& part = *statistics.add_hosts();
    part.set_host(host);
    part.set_workers(share.workers_used);
    *part.mutable_traffic() = ToWire(share.traffic);
    part.set_busy_seconds(absl::ToDoubleSeconds(share.busy));
  }
  if (!record.status.ok()) {
    *update.mutable_failure() = ToProto(record.status);
  }
  if (record.state != JobState::kDone) return update;
  for (int i = 0; i < description.fields_size(); ++i) {
    proto::ResultArray& array = *update.add_results();
    array.set_name(description.fields(i).name());
    *array.mutable_layout() = description.fields(i).layout();
    const auto index = static_cast<std::size_t>(i);
    if (index >= record.results.size()) continue;
    const BytesRef& bytes = record.results[index];
    if (bytes.has_token()) {
      *array.mutable_segment()->mutable_token() = ToProto(bytes.token);
      *array.mutable_segment()->add_replicas() =
          ToWire(Replica{bytes.token, bytes.host}, members);
    } else {
      array.set_inline_bytes(bytes.inline_bytes);
    }
  }
  return update;
}

proto::WorkerSummary SummaryOf(const WorkerRecord& record) {
  proto::WorkerSummary summary;
  summary.set_id(ToString(record.id));
  summary.set_host(record.identity.host);
  summary.set_pid(static_cast<std::int32_t>(record.identity.pid));
  summary.set_address(record.identity.address.empty()
                          ? record.identity.host
                          : record.identity.address);
  summary.set_state(std::string(NameOf(record.state)));
  summary.set_thread_count(record.identity.thread_count);
  if (record.state == WorkerState::kLost) {
    summary.set_ended(record.story.value_or(record.lost_why));
  }
  return summary;
}

proto::MatrixInfo InfoOf(const MatrixRecord& matrix,
                         const CoordinatorCore& core) {
  proto::MatrixInfo info;
  *info.mutable_record() = ToWire(matrix, core.members());
  if (const absl::Status lost = core.CheckMatrix(matrix); !lost.ok()) {
    *info.mutable_lost() = ToProto(lost);
  }
  for (const Shard& shard : ShardsOf(matrix)) {
    proto::Shard& to = *info.add_shards();
    to.set_row_begin(shard.rows.begin);
    to.set_row_end(shard.rows.end);
    for (const WorkerId worker : core.WorkersNear(shard.segment)) {
      to.add_workers(ToString(worker));
    }
  }
  return info;
}

absl::Status CheckVersion(absl::string_view theirs) {
  if (MinorOf(theirs) == MinorOf(kVersion)) return absl::OkStatus();
  return Error(Reason::kVersionMismatch,
               absl::StrCat("join a cluster: this is version ", theirs,
                            " and its coordinator is version ", kVersion,
                            "; install the same version on both"));
}

}  // namespace hearth::server
