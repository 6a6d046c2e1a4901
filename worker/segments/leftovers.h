#pragma once

#include <set>
#include <vector>

#include "absl/time/time.h"
#include "hearth/base/id.h"
#include "hearth/transport/handover/handover_client.h"

namespace hearth::worker {

// Segments that the keeper holds of processes that are dead: a client killed
// between handing a matrix over and giving it a name, a worker killed before
// its report was out. Which of them somebody wants, the coordinator knows.
//
// Kind:    resource, single-threaded; its own connection to the keeper.
class Leftovers {
 public:
  explicit Leftovers(const Address& keeper)
      : keeper_({.keeper = keeper, .deadline = absl::Milliseconds(500)}) {}

  // Those whose maker was dead at the last look already: what he had said
  // before he died has arrived since. None when the keeper does not answer.
  std::vector<Id> Look();
  // Those that this process made.
  std::vector<Id> Own();

 private:
  HandoverClient keeper_;
  std::set<Id> seen_;
};

}  // namespace hearth::worker
