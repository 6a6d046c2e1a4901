#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hearth {

// Why something was refused or failed: the catalog that docs/errors.md, the
// wire and Python share.
//
// A reason tells the caller what to do next; the message tells the person. The
// numbers travel on the wire: append, never renumber.
enum class Reason : std::uint16_t {
  kUnspecified = 0,
  kBadUsage = 1,      // the request itself is wrong for any matrix
  kBadParameter = 2,  // wrong for this matrix: an axis that it has not, a
                      // length that differs
  kBadFile = 3,       // a file's header or size is not what the format says
  kFileMissing = 4,   // no such file, or not readable
  kFileChanged = 5,   // truncated, replaced or rewritten since it was published
  kNameTaken = 6,
  kNameUnknown = 7,
  kOutOfMemory = 8,  // would pass a host's or a cgroup's limit; refused before
                     // the first touch
  kOutOfDisk = 9,
  kTooLarge = 10,     // passes one of base/limits.h
  kSegmentGone = 11,  // nobody holds those bytes any more
  kSegmentBusy = 12,  // seal refused: another process still maps it writable
  kWorkerLost = 13,
  kTaskFailed =
      14,  // three attempts failed; the message has each attempt's story
  kJobUnknown = 15,
  kJobCancelled = 16,
  kClusterUnreachable = 17,
  kClusterEnded = 18,
  kVersionMismatch = 19,
  kNotAllowed = 20,  // another user's socket, or something not switched on
  kNotYet = 21,      // named in the contract, not built yet
  kDeadlineExceeded = 22,
  kInternal = 23,        // our bug
  kBadCredentials = 24,  // damaged, expired, another cluster's, or at one end
                         // only
  kObjectGone = 25,      // no such object any more, or nobody answers for it
  kQueueFull = 26,       // as many calls wait as an object allows
  kOutcomeUnknown = 27,  // a call may have run, or not
  kCallCancelled = 28,
  kAddressUnusable = 29,  // not of this host, or not for this user
};

struct ReasonInfo {
  Reason reason;
  absl::string_view name;  // stable, kebab-case: "name-taken"
  absl::StatusCode code;
};

const ReasonInfo& InfoOf(Reason reason);
std::optional<Reason> ReasonFromNumber(std::uint32_t number);

// A Status with the code that belongs to `reason`. The message is one sentence:
// the attempt, the thing, the finding, what to do.
absl::Status Error(Reason reason, absl::string_view message);

// kUnspecified for a Status that did not come from Error().
Reason ReasonOf(const absl::Status& status);

}  // namespace hearth
