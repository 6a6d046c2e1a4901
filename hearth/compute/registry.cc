#include "hearth/compute/registry.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hearth/base/error.h"
#include "hearth/base/quoted.h"

namespace hearth {

// Each is defined in operations/. One line an operation, sorted, here and
// below.
const Operation& AllOperation();
const Operation& AnyOperation();
const Operation& ArgmaxOperation();
const Operation& ArgminOperation();
const Operation& CorrcoefOperation();
const Operation& CountNonzeroOperation();
const Operation& CovOperation();
const Operation& DescribeOperation();
const Operation& GramOperation();
const Operation& HistogramOperation();
const Operation& MatmulOperation();
const Operation& MatvecOperation();
const Operation& MaxOperation();
const Operation& MeanOperation();
const Operation& MedianOperation();
const Operation& MinOperation();
const Operation& NanargmaxOperation();
const Operation& NanargminOperation();
const Operation& NanmaxOperation();
const Operation& NanmeanOperation();
const Operation& NanminOperation();
const Operation& NanprodOperation();
const Operation& NanstdOperation();
const Operation& NansumOperation();
const Operation& NanvarOperation();
const Operation& NormOperation();
const Operation& ProdOperation();
const Operation& QuantileOperation();
const Operation& RmatvecOperation();
const Operation& StdOperation();
const Operation& SumOperation();
const Operation& VarOperation();

const std::vector<const Operation*>& AllOperations() {
  static const auto& operations = *new std::vector<const Operation*>{
      &AllOperation(),       &AnyOperation(),       &ArgmaxOperation(),
      &ArgminOperation(),    &CorrcoefOperation(),  &CountNonzeroOperation(),
      &CovOperation(),       &DescribeOperation(),  &GramOperation(),
      &HistogramOperation(), &MatmulOperation(),    &MatvecOperation(),
      &MaxOperation(),       &MeanOperation(),      &MedianOperation(),
      &MinOperation(),       &NanargmaxOperation(), &NanargminOperation(),
      &NanmaxOperation(),    &NanmeanOperation(),   &NanminOperation(),
      &NanprodOperation(),   &NanstdOperation(),    &NansumOperation(),
      &NanvarOperation(),    &NormOperation(),      &ProdOperation(),
      &QuantileOperation(),  &RmatvecOperation(),   &StdOperation(),
      &SumOperation(),       &VarOperation(),
  };
  return operations;
}

namespace {

// Single letters to insert, drop or replace to make `b` of `a` (Levenshtein).
int DistanceOf(absl::string_view a, absl::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    int diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const int replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

absl::StatusOr<const Operation*> FindOperation(absl::string_view name) {
  std::vector<std::pair<int, std::string>> near;
  for (const Operation* operation : AllOperations()) {
    if (operation->info().name == name) return operation;
    // A long wrong name is near to nothing; don't measure it.
    if (name.size() <= 64) {
      near.emplace_back(DistanceOf(name, operation->info().name),
                        operation->info().name);
    }
  }
  std::sort(near.begin(), near.end());
  if (near.size() > 3) near.resize(3);
  return Error(
      Reason::kBadUsage,
      absl::StrCat(
          "find operation ", Quoted(name), ": there is none of that name; ",
          near.empty() ? "" : "the nearest are ",
          absl::StrJoin(
              near, ", ",
              [](std::string* out, const std::pair<int, std::string>& entry) {
                absl::StrAppend(out, entry.second);
              }),
          near.empty() ? "" : "; ", "run \"hearth operations\" for all"));
}

}  // namespace hearth
