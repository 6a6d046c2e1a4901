// Messages to the structs of hearth/matrix and back. Whatever comes from a wire
// is checked here, once, before anything else believes it.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/base/id.h"
#include "hearth/matrix/layout.h"
#include "protos/matrix.pb.h"

namespace hearth {

proto::Token ToProto(const Id& id);
Id FromProto(const proto::Token& token);

proto::Layout ToProto(const MatrixLayout& layout);
// BAD_USAGE naming the field that no MatrixLayout could have.
absl::StatusOr<MatrixLayout> FromProto(const proto::Layout& layout);

proto::Failure ToProto(const absl::Status& status);
// Unknown codes and reasons become UNKNOWN and unspecified, never OK.
absl::Status FromProto(const proto::Failure& failure);

// A Status as gRPC carries it: same code and message, the Failure in the error
// details; and back, also from a Status that gRPC made itself.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace hearth
