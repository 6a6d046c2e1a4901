// Results as `hearth run` prints them to a person.
#pragma once

#include <span>
#include <string>

#include "client/cli/output/array_view.h"

namespace hearth::client {

// As NumPy prints it: nested brackets, aligned columns, lines of at most 80.
// Above 1,000 elements each axis shows its first and last three, with "..."
// between. A 0-d array is its value with all its digits. No newline at the end.
std::string ArrayText(const ArrayView& array);

// One array; or, of several 1-d arrays as long as each other (describe,
// histogram), a table with a column each; or else each under its name. Ends
// with a newline.
std::string ResultText(std::span<const ArrayView> arrays);

}  // namespace hearth::client
