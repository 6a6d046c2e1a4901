#include "hearth/base/error.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hearth {
namespace {

constexpr absl::string_view kPayloadUrl = "hearth.reason";

using Code = absl::StatusCode;

constexpr std::array<ReasonInfo, 30> kCatalog = {{
    {Reason::kUnspecified, "unspecified", Code::kUnknown},
    {Reason::kBadUsage, "bad-usage", Code::kInvalidArgument},
    {Reason::kBadParameter, "bad-parameter", Code::kInvalidArgument},
    {Reason::kBadFile, "bad-file", Code::kInvalidArgument},
    {Reason::kFileMissing, "file-missing", Code::kNotFound},
    {Reason::kFileChanged, "file-changed", Code::kFailedPrecondition},
    {Reason::kNameTaken, "name-taken", Code::kAlreadyExists},
    {Reason::kNameUnknown, "name-unknown", Code::kNotFound},
    {Reason::kOutOfMemory, "out-of-memory", Code::kResourceExhausted},
    {Reason::kOutOfDisk, "out-of-disk", Code::kResourceExhausted},
    {Reason::kTooLarge, "too-large", Code::kResourceExhausted},
    {Reason::kSegmentGone, "segment-gone", Code::kNotFound},
    {Reason::kSegmentBusy, "segment-busy", Code::kFailedPrecondition},
    {Reason::kWorkerLost, "worker-lost", Code::kUnavailable},
    {Reason::kTaskFailed, "task-failed", Code::kAborted},
    {Reason::kJobUnknown, "job-unknown", Code::kNotFound},
    {Reason::kJobCancelled, "job-cancelled", Code::kCancelled},
    {Reason::kClusterUnreachable, "cluster-unreachable", Code::kUnavailable},
    {Reason::kClusterEnded, "cluster-ended", Code::kUnavailable},
    {Reason::kVersionMismatch, "version-mismatch", Code::kFailedPrecondition},
    {Reason::kNotAllowed, "not-allowed", Code::kPermissionDenied},
    {Reason::kNotYet, "not-yet", Code::kUnimplemented},
    {Reason::kDeadlineExceeded, "deadline-exceeded", Code::kDeadlineExceeded},
    {Reason::kInternal, "internal", Code::kInternal},
    {Reason::kBadCredentials, "bad-credentials", Code::kUnauthenticated},
    {Reason::kObjectGone, "object-gone", Code::kNotFound},
    {Reason::kQueueFull, "queue-full", Code::kResourceExhausted},
    {Reason::kOutcomeUnknown, "outcome-unknown", Code::kAborted},
    {Reason::kCallCancelled, "call-cancelled", Code::kCancelled},
    {Reason::kAddressUnusable, "address-unusable", Code::kFailedPrecondition},
}};

constexpr bool NumbersAreIndexes() {
  for (std::size_t i = 0; i < kCatalog.size(); ++i) {
    if (static_cast<std::size_t>(kCatalog[i].reason) != i) return false;
  }
  return true;
}
static_assert(NumbersAreIndexes());

}  // namespace

const ReasonInfo& InfoOf(Reason reason) {
  return kCatalog[static_cast<std::size_t>(reason)];
}

std::optional<Reason> ReasonFromNumber(std::uint32_t number) {
  if (number >= kCatalog.size()) return std::nullopt;
  return kCatalog[number].reason;
}

absl::Status Error(Reason reason, absl::string_view message) {
  absl::Status status(InfoOf(reason).code, message);
  status.SetPayload(kPayloadUrl,
                    absl::Cord(absl::StrCat(static_cast<int>(reason))));
  return status;
}

Reason ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return Reason::kUnspecified;
  std::uint32_t number = 0;
  if (!absl::SimpleAtoi(std::string(*payload), &number))
    return Reason::kUnspecified;
  return ReasonFromNumber(number).value_or(Reason::kUnspecified);
}

}  // namespace hearth
