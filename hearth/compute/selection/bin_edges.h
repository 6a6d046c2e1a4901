#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "hearth/matrix/element_type.h"

namespace hearth {

// Bins of the same width between two numbers, as np.histogram has them: bin i
// is edges[i] <= x < edges[i + 1], the last one with its upper edge. Edges are
// computed in float64 as np.linspace does and rounded once to their type; an
// element's bin is what the rounded edges say.
//
// Kind: value, immutable.
class BinEdges {
 public:
  // Where lo = hi, half below to half above. BAD_PARAMETER when the edges are
  // not finite and ascending: too many bins for the range.
  static absl::StatusOr<BinEdges> Make(ElementType type, std::int64_t bins,
                                       double lo, double hi);

  // float64, float32 or float16: of the edges for elements of `type`.
  static ElementType TypeFor(ElementType type);

  const std::vector<double>& edges() const { return edges_; }

  // Adds 1 to counts[i] for each value in bin i; what is in none is left out.
  void Count(const double* values, std::int64_t count,
             std::int64_t* counts) const;

 private:
  std::vector<double> edges_;
  double bins_per_unit_ = 0;  // infinite where a bin is almost no width
};

}  // namespace hearth
