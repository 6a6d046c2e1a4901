#include "hearth/base/environment.h"

#include <cstdlib>

namespace hearth {

std::optional<std::string> EnvironmentVariable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

}  // namespace hearth
