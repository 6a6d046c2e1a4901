#include "hearth/compute/reduction/scan_operation.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth {

ParameterSpec AxesParameter() {
  return {"axis", "axes", "none",
          "the axes to reduce: none for all of them, 0, -1 or 0,1"};
}

ParameterSpec OneAxisParameter() {
  return {"axis", "axis", "none",
          "the axis to reduce, or none for all elements"};
}

ParameterSpec KeepdimsParameter() {
  return {"keepdims", "bool", "false",
          "true leaves the reduced axes with length 1"};
}

ParameterSpec DtypeParameter() {
  return {"dtype", "dtype", "none",
          "the type that elements are converted to first, and of the result"};
}

absl::StatusOr<AxesAndKeepdims> ReadAxes(const OperationInfo& info,
                                         const MatrixLayout& layout,
                                         const ParameterText& text) {
  AxesAndKeepdims read;
  HEARTH_ASSIGN_OR_RETURN(const AxesAsked asked,
                          ParseAxes("axis", TextOf(info, text, "axis")));
  HEARTH_ASSIGN_OR_RETURN(read.axes, ResolveAxes(info, asked, layout));
  HEARTH_ASSIGN_OR_RETURN(
      read.keepdims, ParseBool("keepdims", TextOf(info, text, "keepdims")));
  return read;
}

absl::StatusOr<std::optional<ElementType>> ReadDtype(
    const OperationInfo& info, const MatrixLayout& layout,
    const ParameterText& text) {
  HEARTH_ASSIGN_OR_RETURN(const std::optional<ElementType> dtype,
                          ParseDtype("dtype", TextOf(info, text, "dtype")));
  if (dtype.has_value() && IsComplex(layout.type) && !IsComplex(*dtype)) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("run ", info.name, ": dtype ", NameOf(*dtype),
                              " has no place for the imaginary parts of ",
                              NameOf(layout.type), "; give a complex dtype"));
  }
  return dtype;
}

absl::Status CheckNotEmpty(const OperationInfo& info,
                           const MatrixLayout& layout,
                           const std::vector<int>& axes) {
  // Also where the result has no elements either: as NumPy has it.
  const bool reduced_empty =
      std::any_of(axes.begin(), axes.end(), [&](int axis) {
        return layout.shape[static_cast<std::size_t>(axis)] == 0;
      });
  if (!reduced_empty) return absl::OkStatus();
  return Error(Reason::kBadParameter,
               absl::StrCat("run ", info.name, " on shape ",
                            ToString(layout.shape), ": ", info.name,
                            " of an empty axis has no identity; reduce an axis "
                            "that has elements"));
}

}  // namespace hearth
