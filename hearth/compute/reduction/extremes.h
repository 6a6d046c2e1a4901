// The least or greatest element, and where it stands.
#pragma once

#include <memory>

#include "hearth/compute/reduction/element_index.h"
#include "hearth/compute/reduction/reducer.h"
#include "hearth/compute/reduction/sums.h"

namespace hearth {

enum class Extremum { kLeast, kGreatest };

struct ExtremeKind {
  Extremum extremum;
  Nans nans;  // kCount: the first NaN wins; kSkip: a number beats every NaN
};

// Whether `x`, which comes later, takes the place of `kept`. Of equals the
// first stays.
template <class T>
bool Beats(ExtremeKind kind, T x, T kept) {
  const bool x_is_nan = x != x;
  const bool kept_is_nan = kept != kept;
  if (x_is_nan || kept_is_nan) {
    return kind.nans == Nans::kCount ? !kept_is_nan : !x_is_nan;
  }
  return kind.extremum == Extremum::kLeast ? x < kept : x > kept;
}

// The elements themselves (float32 of bfloat16).
std::unique_ptr<const Reducer> MakeExtreme(ElementType type, ExtremeKind kind);

// Their indexes, int64. Where NaN is skipped and there is nothing else:
// BAD_PARAMETER.
std::unique_ptr<const Reducer> MakeArgExtreme(ElementType type,
                                              ExtremeKind kind,
                                              ElementIndex index);

// The same of complex elements, which are ordered by their real, then by their
// imaginary parts, and are NaN where one part is.
std::unique_ptr<const Reducer> MakeComplexExtreme(ElementType type,
                                                  ExtremeKind kind);
std::unique_ptr<const Reducer> MakeComplexArgExtreme(ElementType type,
                                                     ExtremeKind kind,
                                                     ElementIndex index);

// What nanargmin, or nanargmax, says where there is no number.
absl::Status AllNanError(ExtremeKind kind);

}  // namespace hearth
