#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/context.h"
#include "client/objects.h"

namespace hearth::client {

// The objects of the cluster that was named. An embedded cluster has none, so
// one has to be named: `attempt` says what for.
absl::StatusOr<Objects> OpenObjects(const Context& context,
                                    absl::string_view attempt);

}  // namespace hearth::client
