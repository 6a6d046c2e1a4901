#include "server/core/job_record.h"

namespace hearth::server {

absl::string_view NameOf(JobState state) {
  switch (state) {
    case JobState::kPlanning:
    case JobState::kRunning:
    case JobState::kFinishing:
      return "running";
    case JobState::kDone:
      return "done";
    case JobState::kFailed:
      return "failed";
    case JobState::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

}  // namespace hearth::server
