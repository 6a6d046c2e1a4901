#include "client/attempt.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"

namespace hearth::client {

absl::Status ToldAs(absl::string_view attempt, const absl::Status& status) {
  if (ReasonOf(status) != Reason::kOutOfMemory ||
      absl::StartsWith(status.message(), attempt)) {
    return status;
  }
  return Error(Reason::kOutOfMemory,
               absl::StrCat(attempt, ": ", status.message()));
}

}  // namespace hearth::client
