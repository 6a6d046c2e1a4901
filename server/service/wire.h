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
#include "server/core/membership_core.h"

namespace hearth::server {

absl::StatusOr<MatrixRecord> FromWire(const proto::MatrixRecord& message);
// What names a segment also says who serves it, as `members` are now.
proto::MatrixRecord ToWire(const MatrixRecord& record,
                           const MembershipCore& members);

// Of a matrix of this layout; sound, or BAD_USAGE.
absl::StatusOr<OriginPtr> FromWire(const proto::Origin& message,
                                   const MatrixLayout& layout);
proto::Origin ToWire(const Origin& origin, const MembershipCore& members);

proto::Replica ToWire(const Replica& replica, const MembershipCore& members);
BytesRef FromWire(const proto::BytesRef& message);
proto::BytesRef ToWire(const BytesRef& bytes, const MembershipCore& members);

Traffic FromWire(const proto::Traffic& traffic);
proto::Traffic ToWire(const Traffic& traffic);

// A job's text parameters as the core carries them: the same bytes for the same
// parameters.
std::string Opaque(
    const google::protobuf::Map<std::string, std::string>& arguments);

// Reports that are malformed are refused as a whole batch.
absl::StatusOr<std::vector<Report>> FromWire(const proto::Reports& message);
absl::StatusOr<JobSpec> FromWire(const proto::SubmitRequest& message);

proto::Brief ToWire(const Brief& brief, const MembershipCore& members);
proto::Task ToWire(const Task& task, const MembershipCore& members);

}  // namespace hearth::server
