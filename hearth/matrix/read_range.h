#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace hearth {

// How a parser of file headers gets at a file that it knows nothing about:
// fills `into` with the file's bytes from `offset` on. Asked only for ranges
// within the file; called before the parser returns, never later.
using ReadRange = absl::FunctionRef<absl::Status(std::int64_t offset,
                                                 std::span<std::byte> into)>;

}  // namespace hearth
