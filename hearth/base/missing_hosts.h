#pragma once

#include <string>

#include "absl/strings/str_cat.h"

namespace hearth {

// The finding and what to do, where `replicas` of a matrix in memory need more
// hosts than the `ready` ones.
inline std::string MissingHosts(int replicas, int ready) {
  if (replicas == 1) {
    return absl::StrCat("its bytes need a host, and ", ready,
                        " are ready; start workers");
  }
  return absl::StrCat(replicas, " replicas need ", replicas, " hosts; ", ready,
                      ready == 1 ? " is" : " are",
                      " ready; start workers on more hosts");
}

}  // namespace hearth
