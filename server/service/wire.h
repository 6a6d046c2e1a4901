// The core's structs to messages and back. What a worker or a client sent is
// checked here before the core believes it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "protos/coordinator.pb.h"
#include "protos/worker.pb.h"
#include "server/core/actions.h"
#include "server/core/events.h"

namespace hearth::server {

absl::StatusOr<MatrixRecord> FromWire(const proto::MatrixRecord& message);
proto::MatrixRecord ToWire(const MatrixRecord& record);

BytesRef FromWire(const proto::BytesRef& message);
proto::BytesRef ToWire(const BytesRef& bytes);

// Reports that are malformed are refused as a whole batch.
absl::StatusOr<std::vector<Report>> FromWire(const proto::Reports& message);
absl::StatusOr<JobSpec> FromWire(const proto::SubmitRequest& message);

proto::Brief ToWire(const Brief& brief);
proto::Task ToWire(const Task& task);

}  // namespace hearth::server
