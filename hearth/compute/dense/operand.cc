#include "hearth/compute/dense/operand.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth {

namespace {

absl::StatusOr<const MatrixArgument*> FindArgument(absl::string_view operation,
                                                   absl::string_view name,
                                                   absl::string_view kind,
                                                   const Arguments& arguments) {
  const auto found = arguments.matrices.find(std::string(name));
  if (found == arguments.matrices.end()) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("run ", operation, ": it needs a ", kind,
                              "; give ", name, "=NAME or ", name, "=FILE.npy"));
  }
  const MatrixArgument& argument = found->second;
  if (!argument.bytes.empty() &&
      static_cast<std::int64_t>(argument.bytes.size()) <
          argument.layout.bytes()) {
    return Error(Reason::kInternal,
                 absl::StrCat("run ", operation, ": ", name, " has ",
                              argument.bytes.size(), " bytes, expected ",
                              argument.layout.bytes()));
  }
  return &argument;
}

}  // namespace

absl::StatusOr<VectorOperand> VectorOperand::Find(absl::string_view operation,
                                                  absl::string_view name,
                                                  const Arguments& arguments,
                                                  std::int64_t length,
                                                  absl::string_view meaning) {
  HEARTH_ASSIGN_OR_RETURN(const MatrixArgument* argument,
                          FindArgument(operation, name, "vector", arguments));
  const MatrixLayout& layout = argument->layout;
  if (layout.axis_count() != 1) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("run ", operation, ": ", name, " has shape ",
                              ToString(layout.shape), "; give a vector of ",
                              length, " elements"));
  }
  if (layout.shape[0] != length) {
    return Error(
        Reason::kBadParameter,
        absl::StrCat("run ", operation, ": ", name, " has ", layout.shape[0],
                     " elements, but the matrix has ", length, " ", meaning,
                     "; give a vector of ", length));
  }
  VectorOperand operand;
  operand.type_ = {layout.type, layout.byte_order};
  operand.bytes_ = argument->bytes.data();
  return operand;
}

absl::StatusOr<MatrixOperand> MatrixOperand::Find(absl::string_view operation,
                                                  absl::string_view name,
                                                  const Arguments& arguments,
                                                  std::int64_t rows,
                                                  absl::string_view meaning) {
  HEARTH_ASSIGN_OR_RETURN(const MatrixArgument* argument,
                          FindArgument(operation, name, "matrix", arguments));
  const MatrixLayout& layout = argument->layout;
  if (layout.axis_count() != 2) {
    return Error(
        Reason::kBadParameter,
        absl::StrCat("run ", operation, ": ", name, " has shape ",
                     ToString(layout.shape), "; give a matrix of ", rows,
                     " rows, or a vector of ", rows, " elements"));
  }
  if (layout.shape[0] != rows) {
    return Error(
        Reason::kBadParameter,
        absl::StrCat("run ", operation, ": ", name, " has ", layout.shape[0],
                     " rows, but the matrix has ", rows, " ", meaning,
                     "; give one of ", rows, " rows"));
  }
  const bool by_columns = layout.order == Order::kFortran;
  MatrixOperand operand;
  operand.panel_ = {.type = {layout.type, layout.byte_order},
                    .data = argument->bytes.data(),
                    .rows = rows,
                    .columns = layout.shape[1],
                    .stride = by_columns ? rows : layout.shape[1],
                    .by_columns = by_columns};
  return operand;
}

RowPanel MatrixOperand::Part(std::int64_t row, std::int64_t rows,
                             std::int64_t column, std::int64_t columns) const {
  return ColumnsOf(RowsOf(panel_, row, rows), column, columns);
}

}  // namespace hearth
