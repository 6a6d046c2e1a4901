#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace hearth::client {

// What a shell may hand to a program, made safe before anything else is done:
// descriptors 0 to 2 that are closed are taken, so that no socket gets their
// numbers; a file that grows past `ulimit -f` is an error and no death; Ctrl-C
// ends a command that has no InterruptGuard with status 130, saying so.
void PrepareProcess();

// What Ctrl-C interrupts from here on, for the line that says so, and what its
// user should know then.
void NameAttempt(absl::string_view attempt, absl::string_view advice);

// What this process may use is enough for gRPC and its threads, which end in
// an abort or wait for ever where it is not. OUT_OF_MEMORY otherwise, naming
// the limit.
absl::Status CheckProcessLimits();

// All that was printed has reached standard output. OUT_OF_DISK, NOT_ALLOWED
// otherwise; ok where a reader has gone on purpose (a pipe to `head`).
absl::Status FlushOutput();

}  // namespace hearth::client
