#pragma once

#include "absl/strings/string_view.h"

namespace hearth {

// A place where tests kill this process, to see that nothing is lost or leaked.
//
// HEARTH_CRASH_AT names the points, by commas, each as NAME or NAME@N: the
// process kills itself with SIGKILL when it comes there, the N-th time. With
// HEARTH_CRASH_ONCE=FILE only the first process that can create FILE does.
// Costs one branch where neither is set. docs/operating.md lists the points.
//
// Threads: any.
void CrashPoint(absl::string_view name);

}  // namespace hearth
