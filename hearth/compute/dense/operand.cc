#include "hearth/compute/dense/operand.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"

namespace hearth {

absl::StatusOr<VectorOperand> VectorOperand::Find(absl::string_view operation,
                                                  absl::string_view name,
                                                  const Arguments& arguments,
                                                  std::int64_t length,
                                                  absl::string_view meaning) {
  const auto found = arguments.matrices.find(std::string(name));
  if (found == arguments.matrices.end()) {
    return Error(Reason::kBadUsage,
                 absl::StrCat("run ", operation, ": it needs a vector; give ",
                              name, "=NAME or ", name, "=FILE.npy"));
  }
  const MatrixArgument& argument = found->second;
  if (argument.layout.axis_count() != 1) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("run ", operation, ": ", name, " has shape ",
                              ToString(argument.layout.shape),
                              "; give a vector of ", length, " elements"));
  }
  if (argument.layout.shape[0] != length) {
    return Error(
        Reason::kBadParameter,
        absl::StrCat("run ", operation, ": ", name, " has ",
                     argument.layout.shape[0], " elements, but the matrix has ",
                     length, " ", meaning, "; give a vector of ", length));
  }
  if (static_cast<std::int64_t>(argument.bytes.size()) <
      argument.layout.bytes()) {
    return Error(Reason::kInternal,
                 absl::StrCat("run ", operation, ": ", name, " has ",
                              argument.bytes.size(), " bytes, expected ",
                              argument.layout.bytes()));
  }
  VectorOperand operand;
  operand.type_ = {argument.layout.type, argument.layout.byte_order};
  operand.bytes_ = argument.bytes.data();
  return operand;
}

}  // namespace hearth
