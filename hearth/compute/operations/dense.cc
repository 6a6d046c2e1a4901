#include "hearth/compute/operations/dense.h"

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"

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

}  // namespace hearth
