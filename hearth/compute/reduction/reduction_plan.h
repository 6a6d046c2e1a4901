#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hearth/compute/operation.h"
#include "hearth/compute/reduction/reducer.h"

namespace hearth {

// A reduction of some axes of an array.
struct ReductionRequest {
  std::string operation;  // for messages
  MatrixLayout layout;
  std::vector<int> axes;  // reduced, ascending
  bool keepdims = false;
  // 2: an element is a complex number, reduced as a pair of reals.
  int parts = 1;
};

// A plan that concatenates where no two row blocks share an output, and else
// reduces with SpanPartials. TOO_LARGE when those would pass
// limits::kReductionPartialBytesMax.
absl::StatusOr<std::unique_ptr<Plan>> MakeReductionPlan(
    ReductionRequest request, std::unique_ptr<const Reducer> reducer);

}  // namespace hearth
