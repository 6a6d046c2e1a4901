#pragma once

#include <optional>
#include <string>

namespace hearth {

// A variable of the process's environment; none where it is unset or empty.
//
// Threads: any, as long as none changes the environment.
std::optional<std::string> EnvironmentVariable(const char* name);

}  // namespace hearth
