#include "client/arguments.h"

#include <utility>

#include "hearth/base/status.h"

namespace hearth::client {

absl::StatusOr<OpenedArguments> OpenArguments(
    const Cluster& cluster, const Operation& operation,
    std::map<std::string, std::string> text) {
  OpenedArguments opened;
  opened.arguments.text = std::move(text);
  for (const ParameterSpec& parameter : operation.info().parameters) {
    const auto given = opened.arguments.text.find(parameter.name);
    if (parameter.type != "matrix" || given == opened.arguments.text.end()) {
      continue;
    }
    HEARTH_ASSIGN_OR_RETURN(Matrix matrix,
                            cluster.Open({.text = given->second}));
    opened.arguments.matrices[parameter.name] = {matrix.layout(),
                                                 matrix.bytes()};
    opened.mapped.push_back(std::move(matrix));
    opened.arguments.text.erase(given);
  }
  return opened;
}

}  // namespace hearth::client
