// What users type after an operation's name, read and checked: key=value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/compute/operation.h"
#include "hearth/matrix/element_type.h"

namespace hearth {

using ParameterText = std::map<std::string, std::string>;

// The axes to reduce, as typed; nullopt for axis=none: all of them.
using AxesAsked = std::optional<std::vector<int>>;

// One value each. BAD_USAGE names the parameter and says what it takes.
// "none", "0", "-1", "0,1", "(0, 1)"; within +-limits::kAxisCountMax, no axis
// twice.
absl::StatusOr<AxesAsked> ParseAxes(absl::string_view name,
                                    absl::string_view text);
absl::StatusOr<bool> ParseBool(absl::string_view name, absl::string_view text);
absl::StatusOr<std::int64_t> ParseInteger(absl::string_view name,
                                          absl::string_view text);
// Also "inf", "-inf", "nan".
absl::StatusOr<double> ParseNumber(absl::string_view name,
                                   absl::string_view text);
absl::StatusOr<std::vector<double>> ParseNumbers(absl::string_view name,
                                                 absl::string_view text);
// "none" is nullopt.
absl::StatusOr<std::optional<ElementType>> ParseDtype(absl::string_view name,
                                                      absl::string_view text);

// What was typed for `name`, else its default. Requires that `info` has it.
std::string TextOf(const OperationInfo& info, const ParameterText& text,
                   absl::string_view name);

// BAD_USAGE for a parameter that `info` has not, and for a value that its type
// ("axis": at most one, "axes", "bool", "int", "float", "floats", "dtype")
// can't be read from. Other types are the operation's to check.
absl::Status CheckParameters(const OperationInfo& info,
                             const ParameterText& text);

// The axes, counted from 0 and ascending, of an array of `axis_count` axes.
// BAD_PARAMETER when one is not there or comes twice (axis=0,-1 of a vector). A
// 0-d array takes 0 and -1, as in NumPy.
absl::StatusOr<std::vector<int>> ResolveAxes(const OperationInfo& info,
                                             const AxesAsked& asked,
                                             const MatrixLayout& layout);

}  // namespace hearth
