#pragma once

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "hearth/base/clock.h"

namespace hearth::client {

// In the environment of every ssh that starts a cluster, with its id.
inline constexpr char kLauncherVariable[] = "HEARTH_LAUNCHER";

// After a launcher was killed, its sessions may still be on their way: what
// they start notices, and ends by itself. Waits until none of cluster `id` is
// left on this machine, and ends those that are there after `patience`.
void EndLeftSessions(absl::string_view id, absl::Duration patience,
                     const Clock& clock = Clock::Real());

}  // namespace hearth::client
