#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hearth/compute/operation.h"
#include "hearth/compute/selection/column_facts.h"
#include "hearth/compute/selection/quantile_rule.h"

namespace hearth {

// What describe says of a column. Of no numbers, all but the counts are NaN.
struct ColumnDescription {
  std::int64_t count;
  std::int64_t nans;
  double values[7];  // mean, std, min, the quartiles, max

  static ColumnDescription Of(const ColumnFacts::Facts& facts,
                              std::int64_t rows, const double* quartiles);
};
static_assert(sizeof(ColumnDescription) == 72);

QuantileRule Quartiles();

// An array for each field.
std::vector<ResultArray> DeclareDescriptions(std::int64_t columns);
std::vector<ResultArray> StoreDescriptions(
    std::span<const ColumnDescription> columns);

}  // namespace hearth
