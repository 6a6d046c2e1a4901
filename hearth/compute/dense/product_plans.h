// The two ways to multiply a stored matrix with a vector, and the one with a
// matrix.
//
// A stored matrix is what lies in memory: `rows` runs of `columns` elements,
// the matrix itself in C order, its transpose in Fortran order. So matvec is
// dots of stored rows in C order and sums of weighted stored rows in Fortran
// order, and rmatvec the other way round.
#pragma once

#include <memory>

#include "hearth/compute/dense/operand.h"
#include "hearth/compute/operation.h"

namespace hearth {

// One number a stored row. `operand` has one a stored column.
//
// Concatenates where blocks are whole stored rows. Where a stored row is cut,
// the partial has one number each: there are few such rows.
std::unique_ptr<Plan> MakeRowDotsPlan(const MatrixLayout& layout,
                                      const VectorOperand& operand,
                                      ElementType result);

// One number a stored column. `operand` has one a stored row.
//
// Reduces to a partial of one number a column while that is small. Longer ones
// are concatenated: each block stands for a share of the columns, and needs the
// whole matrix.
std::unique_ptr<Plan> MakeColumnSumsPlan(const MatrixLayout& layout,
                                         const VectorOperand& operand,
                                         ElementType result);

// The product with another matrix, [rows, columns of `right`], in C order.
std::unique_ptr<Plan> MakeMatrixProductPlan(const MatrixLayout& layout,
                                            const MatrixOperand& right,
                                            ElementType result);

}  // namespace hearth
