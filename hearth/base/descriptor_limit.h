#pragma once

namespace hearth {

// Lets this process have as many descriptors as its hard limit allows: many
// systems begin with 1,024, and a connection is one.
void RaiseDescriptorLimit();

// Whether a connection that was accepted as descriptor `fd` may stay. A quarter
// of what the process may open is kept for segments, files and those of its own
// user: whoever only connects must not bring it to a halt.
//
// The kernel gives the lowest free number, so a high one means that most are
// taken.
bool HasRoomForConnection(int fd);

}  // namespace hearth
