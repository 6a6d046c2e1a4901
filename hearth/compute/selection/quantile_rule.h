#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/matrix/element_type.h"

namespace hearth {

// Which elements of a sorted lane a quantile is made of, and how: NumPy's
// rules.
//
// Values are interpolated in float64 with one rounding, and rounded once to the
// result's type: float64 results may differ from np.quantile's, which rounds
// twice, in the last bit. Unlike NumPy's they don't turn NaN where an element
// is infinite, and don't overflow between finite ones.
//
// Kind: value, immutable.
class QuantileRule {
 public:
  // Of two neighbours in the order: `previous` + gamma * (`next` - `previous`).
  struct Place {
    std::int64_t previous;
    std::int64_t next;
    double gamma;
  };

  // BAD_USAGE when q is outside [0, 1], or the method is none of NumPy's.
  static absl::StatusOr<QuantileRule> Make(std::vector<double> q,
                                           absl::string_view method);
  // The middle element, or the mean of the middle two.
  static QuantileRule Median();

  int count() const { return static_cast<int>(q_.size()); }
  double q(int index) const { return q_[static_cast<std::size_t>(index)]; }
  // Of `elements` sorted elements. Requires elements > 0.
  Place PlaceOf(int index, std::int64_t elements) const;
  // All ranks that the places name, ascending, each once.
  std::vector<std::int64_t> RanksOf(std::int64_t elements) const;

  // The result for the two keys at a place, of elements of `type`. NaN when one
  // of them is.
  double ValueOf(const Place& place, ElementType type,
                 std::int64_t previous_key, std::int64_t next_key) const;

 private:
  // Those from kInvertedCdf on are the nine of Hyndman and Fan, less linear.
  enum class Method {
    kLinear,
    kLower,
    kHigher,
    kNearest,
    kMidpoint,
    kMean,
    kInvertedCdf,
    kAveragedInvertedCdf,
    kClosestObservation,
    kInterpolatedInvertedCdf,
    kHazen,
    kWeibull,
    kMedianUnbiased,
    kNormalUnbiased,
  };
  QuantileRule(std::vector<double> q, Method method)
      : q_(std::move(q)), method_(method) {}
  Place PlaceOfHyndmanAndFan(double q, std::int64_t elements) const;

  std::vector<double> q_;
  Method method_;
};

// float64, float32 or float16: what a quantile of the type is given as.
ElementType QuantileType(ElementType type);

// The number that a key of an element of `type` stands for (exact but for
// 64-bit integers beyond 2^53: the nearest).
double NumberOfKey(ElementType type, std::int64_t key);

}  // namespace hearth
