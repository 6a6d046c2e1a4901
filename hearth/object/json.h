// Values as JSON and back, for the command line and the gateway.
//
// JSON has fewer kinds: what it can't say is an object with one key that begins
// with "$": {"$bytes": base64}, {"$object": ...}, {"$matrix": name},
// {"$array": dtype, "shape": [...], "values": [...]}, where "order": "F" says
// that the values are in Fortran order, as they lie in memory. A struct becomes
// an object with its fields, a tuple a list; NaN and infinities are the texts
// "nan", "inf", "-inf". A map is an object where its keys are texts that come
// once each, else a list of pairs.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/object/value.h"

namespace hearth {

std::string ToJson(const Value& value);
// The same, and none where it would have more than `bytes_max`; it takes not
// much more memory than that to find out.
std::optional<std::string> ToJson(const Value& value, std::size_t bytes_max);
// BAD_USAGE naming the place, for what is no JSON, a "$" form that is none of
// the above, a key given twice, or a whole number beyond 64 bits; TOO_LARGE for
// what is nested deeper than limits::kValueDepthMax or has more than
// limits::kJsonValuesMax values.
absl::StatusOr<Value> FromJson(absl::string_view text);

}  // namespace hearth
