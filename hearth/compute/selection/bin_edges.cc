#include "hearth/compute/selection/bin_edges.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/compute/elements.h"
#include "hearth/compute/numbers.h"
#include "hearth/compute/selection/quantile_rule.h"

namespace hearth {
namespace {

double Rounded(ElementType type, double value) {
  std::byte number[8];
  StoreReal(type, value, number);
  double rounded = 0;
  ReadElements({type, ByteOrder::kNative}, number, 1, &rounded);
  return rounded;
}

}  // namespace

ElementType BinEdges::TypeFor(ElementType type) { return QuantileType(type); }

absl::StatusOr<BinEdges> BinEdges::Make(ElementType type, std::int64_t bins,
                                        double lo, double hi) {
  if (lo == hi) {
    lo -= 0.5;
    hi += 0.5;
  }
  BinEdges made;
  made.edges_.resize(static_cast<std::size_t>(bins + 1));
  const double difference = hi - lo;
  const double step = difference / static_cast<double>(bins);
  bool ascending = std::isfinite(difference);
  for (std::int64_t i = 0; i <= bins; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const auto index = static_cast<double>(i);
    const double offset = step == 0
                              ? index / static_cast<double>(bins) * difference
                              : index * step;
    made.edges_[at] = Rounded(type, i == bins ? hi : lo + offset);
    if (i > 0 && !(made.edges_[at - 1] < made.edges_[at])) ascending = false;
  }
  // Either may be infinite in a narrower type.
  ascending = ascending && std::isfinite(made.edges_.front()) &&
              std::isfinite(made.edges_.back());
  if (!ascending) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("run histogram: no ", bins, " bins fit between ",
                              lo, " and ", hi, " in ", NameOf(type),
                              "; ask for fewer, or give another range=lo,hi"));
  }
  made.bins_per_unit_ =
      static_cast<double>(bins) / (made.edges_.back() - made.edges_.front());
  return made;
}

void BinEdges::Count(const double* values, std::int64_t count,
                     std::int64_t* counts) const {
  const double* edges = edges_.data();
  const auto last = static_cast<std::int64_t>(edges_.size()) - 2;
  const double lo = edges_.front();
  const double hi = edges_.back();
  const bool guesses = std::isfinite(bins_per_unit_);
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = values[i];
    if (!(value >= lo && value <= hi)) continue;
    if (!guesses) {
      const auto above = std::upper_bound(edges_.begin(), edges_.end(), value);
      ++counts[std::min(above - edges_.begin() - 1, last)];
      continue;
    }
    // A guess, which rounding may have put beside the bin.
    auto bin = std::min(
        static_cast<std::int64_t>((value - lo) * bins_per_unit_), last);
    while (value < edges[bin]) --bin;
    while (bin < last && value >= edges[bin + 1]) ++bin;
    ++counts[bin];
  }
}

}  // namespace hearth
