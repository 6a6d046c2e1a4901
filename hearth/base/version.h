#pragma once

namespace hearth {

// Processes of one minor version understand each other; others refuse, naming
// both.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace hearth
