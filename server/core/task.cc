#include "server/core/task.h"

#include "hearth/base/error.h"

namespace hearth::server {

bool IsRefusal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
      return true;
    case absl::StatusCode::kResourceExhausted:
      // Ours were refused after counting; a bare one may be a passing shortage.
      return ReasonOf(status) != Reason::kUnspecified;
    default:
      return false;
  }
}

}  // namespace hearth::server
