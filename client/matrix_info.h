#pragma once

#include "absl/status/statusor.h"
#include "client/hearth.h"
#include "protos/coordinator.pb.h"

namespace hearth::client {

// What the coordinator says of a matrix, as users read it.
absl::StatusOr<MatrixInfo> MatrixInfoOf(const proto::MatrixInfo& message);

}  // namespace hearth::client
