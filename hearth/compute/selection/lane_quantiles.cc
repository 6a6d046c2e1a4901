#include "hearth/compute/selection/lane_quantiles.h"

#include <algorithm>
#include <limits>

#include "hearth/compute/kernels/selection.h"

namespace hearth {
namespace {

using Rank = std::vector<std::int64_t>::const_iterator;

// A rank costs a few steps through the keys around it, a sort of them twice as
// many as their number has bits.
constexpr std::int64_t kKeysPerRank = 8;

// Of keys [from, to) of all, where those ranks are.
void PlaceWithin(std::int64_t* keys, std::int64_t from, std::int64_t to,
                 Rank begin, Rank end) {
  while (begin != end) {
    if (to - from <= kKeysPerRank * (end - begin)) {
      std::sort(keys + from, keys + to);
      return;
    }
    const Rank middle = begin + (end - begin - 1) / 2;
    if (*middle == from) {
      std::iter_swap(keys + from, std::min_element(keys + from, keys + to));
    } else {
      std::nth_element(keys + from, keys + *middle, keys + to);
    }
    PlaceWithin(keys, from, *middle, begin, middle);
    from = *middle + 1;
    begin = middle + 1;
  }
}

}  // namespace

void PlaceRanks(std::int64_t* keys, std::int64_t count,
                const std::vector<std::int64_t>& ranks) {
  PlaceWithin(keys, 0, count, ranks.begin(), ranks.end());
}

LaneQuantiles::LaneQuantiles(const QuantileRule& rule, ElementType type,
                             std::int64_t elements)
    : rule_(rule), type_(type), elements_(elements) {
  if (elements == 0) return;
  for (int i = 0; i < rule.count(); ++i) {
    places_.push_back(rule.PlaceOf(i, elements));
  }
  ranks_ = rule.RanksOf(elements);
}

void LaneQuantiles::Find(std::int64_t* keys, Share q, double* values) const {
  if (elements_ == 0 ||
      (IsFloat(type_) && std::find(keys, keys + elements_, kernels::kNanKey) !=
                             keys + elements_)) {
    std::fill_n(values, q.count(), std::numeric_limits<double>::quiet_NaN());
    return;
  }
  const auto place = [&](std::int64_t i) -> const QuantileRule::Place& {
    return places_[static_cast<std::size_t>(i)];
  };
  if (q.count() == rule_.count()) {
    PlaceRanks(keys, elements_, ranks_);
  } else {
    std::vector<std::int64_t> ranks;
    for (std::int64_t i = q.begin; i < q.end; ++i) {
      ranks.push_back(place(i).previous);
      if (place(i).gamma != 0.0) ranks.push_back(place(i).next);
    }
    std::sort(ranks.begin(), ranks.end());
    ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
    PlaceRanks(keys, elements_, ranks);
  }
  for (std::int64_t i = q.begin; i < q.end; ++i) {
    values[i - q.begin] = rule_.ValueOf(
        place(i), type_, keys[place(i).previous], keys[place(i).next]);
  }
}

}  // namespace hearth
