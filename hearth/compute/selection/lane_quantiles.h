#pragma once

#include <cstdint>
#include <vector>

#include "hearth/compute/selection/quantile_rule.h"
#include "hearth/compute/share.h"
#include "hearth/matrix/element_type.h"

namespace hearth {

// A rule's quantiles of lanes whose keys are all held, and of one length.
//
// Kind: value, immutable.
class LaneQuantiles {
 public:
  LaneQuantiles(const QuantileRule& rule, ElementType type,
                std::int64_t elements);

  // Those of number q.begin to q.end, to `values`. Reorders the keys; NaN where
  // there is no element, or one is NaN.
  void Find(std::int64_t* keys, Share q, double* values) const;

 private:
  QuantileRule rule_;
  ElementType type_;
  std::int64_t elements_;
  std::vector<QuantileRule::Place> places_;
  std::vector<std::int64_t> ranks_;  // of all places, ascending, each once
};

// Puts the elements of those ranks, ascending and each once, where a sort of
// all keys would.
void PlaceRanks(std::int64_t* keys, std::int64_t count,
                const std::vector<std::int64_t>& ranks);

}  // namespace hearth
