// A file that is truncated while it is mapped raises SIGBUS in whoever reads
// the pages that are gone. Here that becomes an error of the work in hand.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "hearth/shm/mapping.h"

namespace hearth {

// Runs `work`, which reads `mapping`, on this thread. FILE_CHANGED naming
// `file` when a page could not be provided; else what `work` returned.
//
// On a fault the signal handler marks the mapping as broken, puts zero pages in
// place of the missing page and all that follow, and lets the work run on to
// its end: no frame is jumped over, so `work` may hold locks and own memory.
// What it computed is then thrown away. The mapping stays broken: later calls
// with it fail at once, and so do those of other threads that are under way.
//
// Threads: any. Calls nest, for work that reads several files. Faults elsewhere
//          go to the handler that was installed before, or kill as ever.
// Not covered: a system call that reads the mapping gets EFAULT, as ever.
absl::Status RunGuarded(const Mapping& mapping, absl::string_view file,
                        absl::FunctionRef<absl::Status()> work);

}  // namespace hearth
