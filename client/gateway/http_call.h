// A call as HTTP says it, and its outcome as HTTP says that.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/gateway/http_message.h"
#include "hearth/object/target.h"

namespace hearth::client {

// The longest that a request may ask for, and what it gets unasked.
inline constexpr absl::Duration kHttpCallTimeMax = absl::Hours(1);
inline constexpr absl::Duration kHttpCallTime = absl::Seconds(60);

// OK for an object that HTTP may reach. Names that begin with "_" or "$" are
// those of Hearth's own: "_python.*" are the processes that run functions, and
// they read pickles.
absl::Status CheckReach(absl::string_view name);
// The same for objects that arguments name: what can't be called from here
// can't be handed to others to call, either.
absl::Status CheckHandles(const Value& value);

// From the headers Hearth-Timeout (seconds), Hearth-Correlation-Id (a fresh one
// where there is none) and Hearth-Meta-NAME.
absl::StatusOr<CallOptions> CallOptionsOf(const HttpRequest& request);

// The header Hearth-Oneway: true or false, 1 or 0.
absl::StatusOr<bool> IsOneway(const HttpRequest& request);
// The name of a value's type, as a sentence says it: "an int64", "null".
std::string WithArticle(absl::string_view type);

// What a request calls a method with: by position, or by name.
struct HttpArguments {
  bool named = false;
  std::vector<Value> values;
  std::vector<std::string> names;  // of `values`, where they are named
};
// From a body of JSON: a list, an object of parameters, or nothing.
absl::StatusOr<HttpArguments> ArgumentsOfBody(absl::string_view body);
// From a query: parameters, each as JSON or, if it is none, a text.
absl::StatusOr<HttpArguments> ArgumentsOfQuery(const HttpRequest& request);

// What `description`, an object's own, says of a method; null where it has none
// of that name.
const Value::Map* MethodIn(const Value& description, absl::string_view method);
bool HasMark(const Value::Map& method, absl::string_view mark);
// The values in the order of the method's parameters, without optional ones at
// the end that were not given. BAD_PARAMETER naming one that is missing, given
// twice or none of the method's.
absl::StatusOr<std::vector<Value>> InOrder(HttpArguments arguments,
                                           absl::string_view name,
                                           const Value::Map& method);

// {"error": {"type", "message", "stack", "correlation"}}.
std::string ErrorJson(const absl::Status& status);
// 400 for arguments that don't fit, 404 for names that lead nowhere, 500 for
// what the method itself answered, 503 and 504 for what may pass.
int HttpStatusOf(const absl::Status& status);

}  // namespace hearth::client
