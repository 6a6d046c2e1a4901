// An operation's arguments, those that are matrices mapped in this process.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/hearth.h"
#include "hearth/compute/operation.h"

namespace hearth::client {

struct OpenedArguments {
  Arguments arguments;
  std::vector<Matrix> mapped;  // what arguments.matrices views
};
absl::StatusOr<OpenedArguments> OpenArguments(
    const Cluster& cluster, const Operation& operation,
    std::map<std::string, std::string> text);

}  // namespace hearth::client
