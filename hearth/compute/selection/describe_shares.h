#pragma once

#include <memory>

#include "hearth/compute/operation.h"

namespace hearth {

// describe of many short columns: a row block stands for a share of the
// columns, of each of which all elements are held at once. Needs the matrix
// whole.
//
// Requires real elements, one or two axes, and HoldsDescriptions().
std::unique_ptr<Plan> MakeDescribeByShares(const MatrixLayout& layout);

// Whether a column and what is said of all of them can be held.
bool HoldsDescriptions(std::int64_t rows, std::int64_t columns);

}  // namespace hearth
