// Results as files that NumPy reads: .npy for one array, .npz for several.
#pragma once

#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cli/output/array_view.h"

namespace hearth::client {

// Refuses a path that `array_count` arrays can't be written to: BAD_USAGE when
// it ends in neither .npy nor .npz, or in .npy for several. Asked before the
// work, so that nobody waits for nothing.
absl::Status CheckOutputPath(absl::string_view path, std::size_t array_count);

// Writes the arrays to `path`, which appears whole or not at all (see
// output_file.h). In an .npz an array without a name is "arr_0", as NumPy's
// savez calls it.
absl::Status WriteArrays(const std::string& path,
                         std::span<const ArrayView> arrays);

}  // namespace hearth::client
