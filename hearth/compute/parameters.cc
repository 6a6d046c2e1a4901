#include "hearth/compute/parameters.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"

namespace hearth {
namespace {

absl::Status BadValue(absl::string_view name, absl::string_view text,
                      absl::string_view wanted) {
  return Error(Reason::kBadUsage,
               absl::StrCat("read parameter ", name, ": ", Quoted(text),
                            " is not one; give ", wanted));
}

bool IsNone(absl::string_view text) {
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(text)) == "none";
}

// The items of "0,1", "(0, 1)" or "0,"; a lone item without a comma too.
std::vector<absl::string_view> ItemsOf(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (text.size() >= 2 && ((text.front() == '(' && text.back() == ')') ||
                           (text.front() == '[' && text.back() == ']'))) {
    text = absl::StripAsciiWhitespace(text.substr(1, text.size() - 2));
  }
  std::vector<absl::string_view> items = absl::StrSplit(text, ',');
  for (absl::string_view& item : items) item = absl::StripAsciiWhitespace(item);
  if (items.size() > 1 && items.back().empty()) items.pop_back();
  return items;
}

}  // namespace

absl::StatusOr<AxesAsked> ParseAxes(absl::string_view name,
                                    absl::string_view text) {
  if (IsNone(text)) return AxesAsked();
  std::vector<int> axes;
  for (const absl::string_view item : ItemsOf(text)) {
    int axis = 0;
    if (!absl::SimpleAtoi(item, &axis)) {
      return BadValue(name, text, "none, an axis (0, -1), or several (0,1)");
    }
    if (axis < -limits::kAxisCountMax || axis >= limits::kAxisCountMax) {
      return BadValue(name, text,
                      absl::StrCat("axes from -", limits::kAxisCountMax, " to ",
                                   limits::kAxisCountMax - 1));
    }
    if (std::find(axes.begin(), axes.end(), axis) != axes.end()) {
      return BadValue(name, text, "each axis once");
    }
    axes.push_back(axis);
  }
  return AxesAsked(std::move(axes));
}

absl::StatusOr<bool> ParseBool(absl::string_view name, absl::string_view text) {
  const std::string lower =
      absl::AsciiStrToLower(absl::StripAsciiWhitespace(text));
  if (lower == "true" || lower == "1") return true;
  if (lower == "false" || lower == "0") return false;
  return BadValue(name, text, "true or false");
}

absl::StatusOr<std::int64_t> ParseInteger(absl::string_view name,
                                          absl::string_view text) {
  std::int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value))
    return BadValue(name, text, "a whole number");
  return value;
}

absl::StatusOr<double> ParseNumber(absl::string_view name,
                                   absl::string_view text) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value))
    return BadValue(name, text, "a number, inf or -inf");
  return value;
}

absl::StatusOr<std::vector<double>> ParseNumbers(absl::string_view name,
                                                 absl::string_view text) {
  std::vector<double> values;
  for (const absl::string_view item : ItemsOf(text)) {
    double value = 0;
    if (!absl::SimpleAtod(item, &value))
      return BadValue(name, text, "numbers, separated by commas");
    values.push_back(value);
  }
  return values;
}

absl::StatusOr<std::optional<ElementType>> ParseDtype(absl::string_view name,
                                                      absl::string_view text) {
  if (IsNone(text)) return std::optional<ElementType>();
  HEARTH_ASSIGN_OR_RETURN(const NamedElementType named, ParseElementType(text));
  if (named.byte_order != ByteOrder::kNative ||
      named.type == ElementType::kBfloat16 ||
      named.type == ElementType::kBool) {
    return BadValue(name, text,
                    "an integer, float or complex type of NumPy's in this "
                    "machine's byte order");
  }
  return std::optional<ElementType>(named.type);
}

std::string TextOf(const OperationInfo& info, const ParameterText& text,
                   absl::string_view name) {
  const auto typed = text.find(std::string(name));
  if (typed != text.end()) return typed->second;
  for (const ParameterSpec& spec : info.parameters) {
    if (spec.name == name) return spec.default_value;
  }
  return "";
}

absl::Status CheckParameters(const OperationInfo& info,
                             const ParameterText& text) {
  for (const auto& [name, value] : text) {
    const auto spec = std::find_if(
        info.parameters.begin(), info.parameters.end(),
        [&name = name](const ParameterSpec& s) { return s.name == name; });
    if (spec == info.parameters.end()) {
      const std::string known = absl::StrJoin(
          info.parameters, ", ", [](std::string* out, const ParameterSpec& s) {
            absl::StrAppend(out, s.name);
          });
      return Error(
          Reason::kBadUsage,
          absl::StrCat("run ", info.name, ": it has no parameter ",
                       Quoted(name), "; it takes ",
                       known.empty() ? "none" : absl::string_view(known)));
    }
    absl::Status status;
    if (spec->type == "axis" || spec->type == "axes") {
      const auto axes = ParseAxes(name, value);
      status = axes.status();
      if (axes.ok() && spec->type == "axis" && axes->has_value() &&
          (*axes)->size() != 1) {
        status = BadValue(name, value, "none or one axis");
      }
    } else if (spec->type == "bool") {
      status = ParseBool(name, value).status();
    } else if (spec->type == "int") {
      status = ParseInteger(name, value).status();
    } else if (spec->type == "float") {
      status = ParseNumber(name, value).status();
    } else if (spec->type == "floats") {
      status = ParseNumbers(name, value).status();
    } else if (spec->type == "dtype") {
      status = ParseDtype(name, value).status();
    }
    if (!status.ok()) {
      return Error(Reason::kBadUsage,
                   absl::StrCat("run ", info.name, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int>> ResolveAxes(const OperationInfo& info,
                                             const AxesAsked& asked,
                                             const MatrixLayout& layout) {
  const int count = layout.axis_count();
  std::vector<int> axes;
  if (!asked.has_value()) {
    axes.resize(static_cast<std::size_t>(count));
    std::iota(axes.begin(), axes.end(), 0);
    return axes;
  }
  if (count == 0 && asked->size() == 1 &&
      (asked->front() == 0 || asked->front() == -1)) {
    return axes;
  }
  for (const int axis : *asked) {
    const int resolved = axis < 0 ? axis + count : axis;
    if (resolved < 0 || resolved >= count) {
      return Error(
          Reason::kBadParameter,
          absl::StrCat("run ", info.name, ": axis ", axis,
                       " is not there in an array of shape ",
                       ToString(layout.shape),
                       count == 0 ? "; leave the axis out"
                                  : absl::StrCat("; give axes from ", -count,
                                                 " to ", count - 1)));
    }
    if (std::find(axes.begin(), axes.end(), resolved) != axes.end()) {
      return Error(Reason::kBadParameter,
                   absl::StrCat("run ", info.name, ": axis ", axis,
                                " comes twice", " in an array of shape ",
                                ToString(layout.shape), "; give it once"));
    }
    axes.push_back(resolved);
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

}  // namespace hearth
