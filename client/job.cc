#include <utility>

#include "absl/strings/str_cat.h"
#include "client/attempt.h"
#include "client/cluster_state.h"
#include "client/hearth.h"
#include "client/mapped_bytes.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/control/codec.h"

namespace hearth {
namespace {

JobSummary SummaryOf(const proto::JobSummary& job) {
  return {job.id(),    job.operation(), job.matrix(),
          job.state(), job.done(),      job.total()};
}

JobStatistics StatisticsOf(const proto::JobStatistics& from) {
  JobStatistics statistics{.seconds = from.seconds(),
                           .workers = from.workers(),
                           .row_blocks = from.row_blocks(),
                           .bytes_mapped = from.bytes_mapped(),
                           .bytes_streamed = from.bytes_streamed(),
                           .bytes_copied = from.bytes_copied(),
                           .bytes_converted = from.bytes_converted(),
                           .retries = from.retries(),
                           .hosts = {}};
  for (const proto::HostStatistics& host : from.hosts()) {
    const proto::Traffic& traffic = host.traffic();
    statistics.hosts.push_back({.host = host.host(),
                                .workers = host.workers(),
                                .bytes_mapped = traffic.bytes_mapped(),
                                .bytes_streamed = traffic.bytes_streamed(),
                                .bytes_copied = traffic.bytes_copied(),
                                .bytes_converted = traffic.bytes_converted(),
                                .busy_seconds = host.busy_seconds()});
  }
  return statistics;
}

}  // namespace

absl::StatusOr<JobResult> Job::Wait(
    const std::function<void(const JobSummary&)>& progress) const {
  HEARTH_ASSIGN_OR_RETURN(
      const proto::JobUpdate last,
      cluster_->coordinator().Watch(id_, [&](const proto::JobUpdate& update) {
        if (progress != nullptr) progress(SummaryOf(update.summary()));
      }));
  HEARTH_RETURN_IF_ERROR(
      client::ToldAs(absl::StrCat("run ", last.summary().operation(), " of \"",
                                  last.summary().matrix(), "\""),
                     FromProto(last.failure())));
  // Where a result lies, as the coordinator says when it is asked.
  const auto finder_of = [&](std::size_t index) -> SegmentServers::Find {
    return [this, index]() -> absl::StatusOr<std::vector<ReplicaPlace>> {
      HEARTH_ASSIGN_OR_RETURN(const proto::JobUpdate now,
                              cluster_->coordinator().Watch(id_, nullptr));
      HEARTH_RETURN_IF_ERROR(FromProto(now.failure()));
      if (static_cast<int>(index) >= now.results_size()) {
        return Error(Reason::kSegmentGone,
                     absl::StrCat("read the result of job ", id_,
                                  ": it is gone; run it again"));
      }
      return ReplicasOf(
          now.results(static_cast<int>(index)).segment().replicas());
    };
  };
  JobResult result;
  result.statistics = StatisticsOf(last.statistics());
  for (const proto::ResultArray& array : last.results()) {
    ResultField field;
    field.name = array.name();
    HEARTH_ASSIGN_OR_RETURN(field.layout, FromProto(array.layout()));
    if (array.has_segment()) {
      HEARTH_ASSIGN_OR_RETURN(field.bytes_owner,
                              cluster_->Map(field.layout, array.segment(),
                                            finder_of(result.fields.size())));
    } else {
      field.bytes_owner = std::make_shared<const MappedBytes>(
          field.layout, array.inline_bytes());
    }
    field.bytes = field.bytes_owner->bytes();
    if (static_cast<std::int64_t>(field.bytes.size()) != field.layout.bytes()) {
      return Error(Reason::kInternal,
                   "read a result: its size is not what its shape says");
    }
    result.fields.push_back(std::move(field));
  }
  return result;
}

absl::Status Job::Cancel() const { return cluster_->coordinator().Cancel(id_); }

}  // namespace hearth
