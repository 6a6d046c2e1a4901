// Results as the JSON that `hearth run --json` prints.
#pragma once

#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cli/output/array_view.h"

namespace hearth::client {

// A JSON string, quotes included. Bytes that are no UTF-8 become U+FFFD.
std::string JsonString(absl::string_view text);

// Appends {"dtype", "shape", "values"}. TOO_LARGE, with `out` as it was, when
// the array has more than limits::kJsonValuesMax values (or that many empty
// lists).
absl::Status AppendArrayJson(const ArrayView& array, std::string& out);

// Appends {"dtype", "shape", "file"}, for an array that was written to `file`.
void AppendArrayFileJson(ElementType type, const Shape& shape,
                         absl::string_view file, std::string& out);

// Appends what stands under "result": the one array, or {"fields": {name:
// array, ...}} when they have names. With a `file`, each as AppendArrayFileJson
// says.
absl::Status AppendResultJson(std::span<const ArrayView> arrays,
                              absl::string_view file, std::string& out);

}  // namespace hearth::client
