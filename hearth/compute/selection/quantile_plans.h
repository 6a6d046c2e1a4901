// Quantiles of lanes, in the two ways there are.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/compute/operation.h"
#include "hearth/compute/selection/quantile_rule.h"

namespace hearth {

struct QuantileRequest {
  absl::string_view operation;
  std::vector<int> axes;  // reduced, ascending
  bool keepdims = false;
  QuantileRule rule;
  bool list = false;  // a leading axis of the result for q, even of one
};

// Chooses: by lanes where each lies within one row block, where they are short,
// or where there are too many to count in; else by passes (LaneSelection).
// TOO_LARGE when lanes are too many and too long at once.
absl::StatusOr<std::unique_ptr<Plan>> MakeQuantilePlan(
    const MatrixLayout& layout, QuantileRequest request);

}  // namespace hearth
