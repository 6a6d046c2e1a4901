#include "hearth/compute/selection/quantile_rule.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"
#include "hearth/compute/kernels/selection.h"

namespace hearth {
namespace {

// NumPy's _lerp, which is exact at both ends, rounded once: between -100 and
// 155 its two roundings can cost half of the digits.
double Between(double a, double b, double difference, double t) {
  if (t >= 0.5) return std::fma(-difference, 1.0 - t, b);
  return std::fma(difference, t, a);
}

// As many as tell it from every other number.
std::string DigitsOf(double value) {
  char digits[32];
  const auto [end, error] =
      std::to_chars(std::begin(digits), std::end(digits), value);
  return std::string(digits, end);
}

}  // namespace

absl::StatusOr<QuantileRule> QuantileRule::Make(std::vector<double> q,
                                                absl::string_view method) {
  for (const double value : q) {
    if (!(value >= 0.0 && value <= 1.0)) {
      return Error(
          Reason::kBadUsage,
          absl::StrCat("run quantile: read parameter q: ", DigitsOf(value),
                       " is not in [0, 1]; give numbers that are"));
    }
  }
  for (const auto& [name, known] :
       {std::pair<absl::string_view, Method>{"linear", Method::kLinear},
        {"lower", Method::kLower},
        {"higher", Method::kHigher},
        {"nearest", Method::kNearest},
        {"midpoint", Method::kMidpoint},
        {"inverted_cdf", Method::kInvertedCdf},
        {"averaged_inverted_cdf", Method::kAveragedInvertedCdf},
        {"closest_observation", Method::kClosestObservation},
        {"interpolated_inverted_cdf", Method::kInterpolatedInvertedCdf},
        {"hazen", Method::kHazen},
        {"weibull", Method::kWeibull},
        {"median_unbiased", Method::kMedianUnbiased},
        {"normal_unbiased", Method::kNormalUnbiased}}) {
    if (name == method) return QuantileRule(std::move(q), known);
  }
  return Error(
      Reason::kBadUsage,
      absl::StrCat("run quantile: read parameter method: ", Quoted(method),
                   " is not one; give linear, lower, higher, nearest, "
                   "midpoint, or another of np.quantile's"));
}

QuantileRule QuantileRule::Median() {
  return QuantileRule({0.5}, Method::kMean);
}

QuantileRule::Place QuantileRule::PlaceOf(int index,
                                          std::int64_t elements) const {
  if (method_ == Method::kMean) {
    return {(elements - 1) / 2, elements / 2, 0.5};
  }
  if (method_ >= Method::kInvertedCdf)
    return PlaceOfHyndmanAndFan(q(index), elements);
  const double at = static_cast<double>(elements - 1) * q(index);
  const auto clamp = [&](double rank) {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(rank), 0,
                                    elements - 1);
  };
  const std::int64_t floor = clamp(std::floor(at));
  const std::int64_t ceiling = clamp(std::ceil(at));
  switch (method_) {
    case Method::kLower:
      return {floor, floor, 0.0};
    case Method::kHigher:
      return {ceiling, ceiling, 0.0};
    case Method::kNearest: {
      const std::int64_t nearest = clamp(std::nearbyint(at));
      return {nearest, nearest, 0.0};
    }
    case Method::kMidpoint:
      return {floor, ceiling, floor == ceiling ? 0.0 : 0.5};
    default:
      break;
  }
  return {floor, std::min(floor + 1, elements - 1), at - std::floor(at)};
}

QuantileRule::Place QuantileRule::PlaceOfHyndmanAndFan(
    double q, std::int64_t elements) const {
  const auto n = static_cast<double>(elements);
  // The operations of NumPy's _compute_virtual_index, in their order.
  const auto at = [&](double alpha, double beta) {
    return n * q + (alpha + q * (1 - alpha - beta)) - 1;
  };
  const auto one = [&](double rank) -> Place {
    const std::int64_t only = std::clamp<std::int64_t>(
        static_cast<std::int64_t>(rank), 0, elements - 1);
    return {only, only, 0.0};
  };
  const auto between = [&](double rank) -> Place {
    if (rank < 0 || rank >= n - 1) return one(rank);
    const auto floor = static_cast<std::int64_t>(rank);
    return {floor, floor + 1, rank - static_cast<double>(floor)};
  };
  const double step = n * q - 1;
  switch (method_) {
    case Method::kAveragedInvertedCdf:
      if (step >= 0 && step == std::floor(step) && step < n - 1) {
        const auto floor = static_cast<std::int64_t>(step);
        return {floor, floor + 1, 0.5};
      }
      return one(std::ceil(step));
    case Method::kClosestObservation: {
      // Halfway between two, that of even number, counted from 1.
      const double below = std::floor(step - 0.5);
      const bool halfway = below == step - 0.5;
      return one(halfway && std::fmod(below, 2) != 0 ? below : below + 1);
    }
    case Method::kInterpolatedInvertedCdf:
      return between(at(0, 1));
    case Method::kHazen:
      return between(at(0.5, 0.5));
    case Method::kWeibull:
      return between(at(0, 0));
    case Method::kMedianUnbiased:
      return between(at(1 / 3.0, 1 / 3.0));
    case Method::kNormalUnbiased:
      return between(at(3 / 8.0, 3 / 8.0));
    default:
      return one(std::ceil(step));
  }
}

std::vector<std::int64_t> QuantileRule::RanksOf(std::int64_t elements) const {
  std::vector<std::int64_t> ranks;
  for (int i = 0; i < count(); ++i) {
    const Place place = PlaceOf(i, elements);
    ranks.push_back(place.previous);
    // A neighbour of weight 0 is not looked for.
    if (place.gamma != 0.0) ranks.push_back(place.next);
  }
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

double QuantileRule::ValueOf(const Place& place, ElementType type,
                             std::int64_t previous_key,
                             std::int64_t next_key) const {
  const double a = NumberOfKey(type, previous_key);
  if (place.gamma == 0.0) return a;
  const double b = NumberOfKey(type, next_key);
  if (method_ == Method::kMean) {
    const double sum = a + b;
    return std::isinf(sum) ? a / 2 + b / 2 : sum / 2;
  }
  // Equal infinities have no difference.
  if (previous_key == next_key) return a;
  if (!IsFloat(type)) {
    // Exact, as NumPy subtracts integers before it converts.
    const std::uint64_t difference = static_cast<std::uint64_t>(next_key) -
                                     static_cast<std::uint64_t>(previous_key);
    return Between(a, b, static_cast<double>(difference), place.gamma);
  }
  const double difference = b - a;
  if (std::isinf(difference)) {
    if (std::isinf(a)) return std::isinf(b) ? b + a : a;
    if (std::isinf(b)) return b;
    return a * (1.0 - place.gamma) + b * place.gamma;
  }
  return Between(a, b, difference, place.gamma);
}

ElementType QuantileType(ElementType type) {
  if (type == ElementType::kFloat16 || type == ElementType::kFloat32) {
    return type;
  }
  return type == ElementType::kBfloat16 ? ElementType::kFloat32
                                        : ElementType::kFloat64;
}

double NumberOfKey(ElementType type, std::int64_t key) {
  if (type == ElementType::kUint64) {
    return static_cast<double>(static_cast<std::uint64_t>(key ^ INT64_MIN));
  }
  if (!IsFloat(type)) return static_cast<double>(key);
  if (key == kernels::kNanKey) return std::numeric_limits<double>::quiet_NaN();
  return std::bit_cast<double>(key ^ ((key >> 63) & INT64_MAX));
}

}  // namespace hearth
