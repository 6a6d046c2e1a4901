// What the core knows, as clients see it.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "protos/coordinator.pb.h"
#include "server/core/coordinator_core.h"

namespace hearth::server {

proto::JobSummary SummaryOf(const JobRecord& record);
proto::JobUpdate UpdateOf(const JobRecord& record,
                          const MembershipCore& members, absl::Time now);
proto::WorkerSummary SummaryOf(const WorkerRecord& record);
proto::MatrixInfo InfoOf(const MatrixRecord& matrix,
                         const CoordinatorCore& core);

// VERSION_MISMATCH naming both unless they share major and minor number.
absl::Status CheckVersion(absl::string_view theirs);

}  // namespace hearth::server
