#pragma once

namespace hearth {

// Keeps gRPC initialized until the process ends. Else the last of its objects
// that goes shuts it down, and waits for up to ten seconds for a thread of
// gRPC's own that writes what nobody polled for (its "backup poller"): at the
// end of a program that had just sent something large. Threads: any.
void KeepGrpcForLife();

}  // namespace hearth
