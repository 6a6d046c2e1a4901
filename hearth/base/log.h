// What happens, for people: lines on standard error, where -v asks for them.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace hearth {

// From here on Log writes; `who` stands in each line: "coordinator",
// "worker 4711". Once, before there are threads.
void StartLog(std::string who);

// So that nobody words what is not going to be written.
bool IsLogging();

// "2026-11-22T10:00:00.123Z hearth coordinator: LINE", in one write; line
// breaks and other control characters of `line` become spaces. Nothing before
// StartLog. Any thread.
void Log(absl::string_view line);

}  // namespace hearth
