// What an error of a call carries beside its code and message: the type that
// its method gave it, every hop that it came through, and the correlation id.
// They ride on absl::Status as payloads.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hearth {

// An error of a class's own, as "bank.InsufficientFunds": a caller compares
// TypeOf(status) with it.
absl::Status TypedError(absl::string_view type, absl::string_view message,
                        absl::StatusCode code = absl::StatusCode::kAborted);

// The type that it was given; else the name of its reason; else of its code.
std::string TypeOf(const absl::Status& status);
// "NAME.METHOD at PROCESS", innermost first; empty for what failed here.
std::vector<std::string> StackOf(const absl::Status& status);
// Of the chain of calls that it ended; empty when unknown.
std::string CorrelationOf(const absl::Status& status);

// For who passes errors on. `status` is not OK.
absl::Status WithType(absl::Status status, absl::string_view type);
absl::Status WithHop(absl::Status status, absl::string_view hop);
absl::Status WithCorrelation(absl::Status status, absl::string_view id);
bool HasType(const absl::Status& status);

}  // namespace hearth
