// Values as JSON and back, for the command line and the gateway.
//
// JSON has fewer kinds: what it can't say is an object with one key that begins
// with "$": {"$bytes": base64}, {"$object": ...}, {"$matrix": name},
// {"$array": dtype, "shape": [...], "values": [...]}. A struct becomes an
// object with its fields, a tuple a list; NaN and infinities are the texts
// "nan", "inf", "-inf".
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/object/value.h"

namespace hearth {

std::string ToJson(const Value& value);
// BAD_USAGE naming the place, for what is no JSON, a "$" form that is none of
// the above, a key given twice, or a whole number beyond 64 bits; TOO_LARGE for
// what is nested deeper than limits::kValueDepthMax or has more than
// limits::kJsonValuesMax values.
absl::StatusOr<Value> FromJson(absl::string_view text);

}  // namespace hearth
