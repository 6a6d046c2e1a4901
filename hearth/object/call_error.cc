#include "hearth/object/call_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"

namespace hearth {
namespace {

constexpr absl::string_view kType = "hearth.error.type";
constexpr absl::string_view kStack = "hearth.error.stack";
constexpr absl::string_view kCorrelation = "hearth.error.correlation";

std::string Payload(const absl::Status& status, absl::string_view url) {
  const auto found = status.GetPayload(url);
  return found.has_value() ? std::string(*found) : std::string();
}

}  // namespace

absl::Status TypedError(absl::string_view type, absl::string_view message,
                        absl::StatusCode code) {
  return WithType(absl::Status(code, message), type);
}

bool HasType(const absl::Status& status) {
  return status.GetPayload(kType).has_value();
}

std::string TypeOf(const absl::Status& status) {
  if (std::string type = Payload(status, kType); !type.empty()) return type;
  if (const Reason reason = ReasonOf(status); reason != Reason::kUnspecified) {
    return std::string(InfoOf(reason).name);
  }
  return absl::StatusCodeToString(status.code());
}

std::vector<std::string> StackOf(const absl::Status& status) {
  const std::string stack = Payload(status, kStack);
  if (stack.empty()) return {};
  return absl::StrSplit(stack, '\n');
}

std::string CorrelationOf(const absl::Status& status) {
  return Payload(status, kCorrelation);
}

absl::Status WithType(absl::Status status, absl::string_view type) {
  status.SetPayload(kType, absl::Cord(type));
  return status;
}

absl::Status WithHop(absl::Status status, absl::string_view hop) {
  const std::string before = Payload(status, kStack);
  if (std::ssize(before) > limits::kErrorStackBytesMax) return status;
  status.SetPayload(
      kStack, absl::Cord(before.empty() ? std::string(hop)
                                        : absl::StrCat(before, "\n", hop)));
  return status;
}

absl::Status WithCorrelation(absl::Status status, absl::string_view id) {
  status.SetPayload(kCorrelation, absl::Cord(id));
  return status;
}

}  // namespace hearth
