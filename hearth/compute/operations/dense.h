// Matrix products: the operations, and what they share.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "hearth/compute/operation.h"
#include "hearth/matrix/layout.h"

namespace hearth {

const Operation& CorrcoefOperation();
const Operation& CovOperation();
const Operation& GramOperation();
const Operation& MatmulOperation();
const Operation& MatvecOperation();
const Operation& RmatvecOperation();

// BAD_PARAMETER unless the matrix has rows and columns, no more.
absl::Status RequireTwoAxes(absl::string_view operation,
                            const MatrixLayout& layout);

// TOO_LARGE unless a partial may have a product for every two columns.
absl::Status RequireSquareFits(absl::string_view operation,
                               const MatrixLayout& layout);

}  // namespace hearth
