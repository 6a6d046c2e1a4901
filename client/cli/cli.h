#pragma once

#include "client/cli/context.h"

namespace hearth::client {

// The whole command line: parses, runs one command, prints its output or one
// error line. Returns the exit status that CONTRACT gives it.
int RunCommandLine(int argc, char** argv, const ProcessMains& mains);

}  // namespace hearth::client
