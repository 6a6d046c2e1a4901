#include "hearth/compute/operations/dense.h"

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/compute/dense/gram_sum.h"

namespace hearth {

absl::Status RequireTwoAxes(absl::string_view operation,
                            const MatrixLayout& layout) {
  if (layout.axis_count() == 2) return absl::OkStatus();
  return Error(Reason::kBadParameter,
               absl::StrCat("run ", operation, ": an array of shape ",
                            ToString(layout.shape),
                            " has not two axes, rows and columns; give one "
                            "that has"));
}

absl::Status RequireSquareFits(absl::string_view operation,
                               const MatrixLayout& layout) {
  if (ProductTriangle::FitsIn(layout)) return absl::OkStatus();
  return Error(
      Reason::kTooLarge,
      absl::StrCat("run ", operation, ": the products of ", layout.shape[1],
                   " columns pass the ",
                   limits::kPartialBytesMax / limits::kMiB,
                   " MiB that a partial may have; take fewer columns"));
}

}  // namespace hearth
