#include "hearth/compute/selection/column_description.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "hearth/compute/numbers.h"

namespace hearth {

ColumnDescription ColumnDescription::Of(const ColumnFacts::Facts& facts,
                                        std::int64_t rows,
                                        const double* quartiles) {
  const double freedom = static_cast<double>(facts.count - 1);
  return {
      facts.count,
      rows - facts.count,
      {facts.mean,
       facts.count > 1 ? std::sqrt(facts.squares / freedom)
                       : std::numeric_limits<double>::quiet_NaN(),
       facts.least, quartiles[0], quartiles[1], quartiles[2], facts.greatest}};
}

QuantileRule Quartiles() {
  return *QuantileRule::Make({0.25, 0.5, 0.75}, "linear");
}

std::vector<ResultArray> DeclareDescriptions(std::int64_t columns) {
  std::vector<ResultArray> results;
  for (const char* name :
       {"count", "nans", "mean", "std", "min", "q25", "q50", "q75", "max"}) {
    const bool counts = results.size() < 2;
    results.push_back(
        {.name = name,
         .type = counts ? ElementType::kInt64 : ElementType::kFloat64,
         .shape = {columns}});
  }
  return results;
}

std::vector<ResultArray> StoreDescriptions(
    std::span<const ColumnDescription> columns) {
  std::vector<ResultArray> results =
      DeclareDescriptions(static_cast<std::int64_t>(columns.size()));
  for (std::size_t i = 0; i < results.size(); ++i) {
    results[i].bytes.resize(columns.size() * 8);
    std::byte* to = results[i].bytes.data();
    for (const ColumnDescription& column : columns) {
      if (i < 2) {
        std::memcpy(to, i == 0 ? &column.count : &column.nans, 8);
      } else {
        StoreReal(ElementType::kFloat64, column.values[i - 2], to);
      }
      to += 8;
    }
  }
  return results;
}

}  // namespace hearth
