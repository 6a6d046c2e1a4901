// quantile and median: exact elements of the sorted order, interpolated.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/compute/operation.h"
#include "hearth/compute/parameters.h"
#include "hearth/compute/selection/quantile_plans.h"

namespace hearth {
namespace {

absl::StatusOr<std::unique_ptr<Plan>> PlanFor(const OperationInfo& info,
                                              QuantileRule rule, bool list,
                                              const MatrixLayout& layout,
                                              const ParameterText& text) {
  if (IsComplex(layout.type)) {
    return Error(
        Reason::kBadParameter,
        absl::StrCat("run ", info.name, ": ", NameOf(layout.type),
                     " has no order; take the real or imaginary part"));
  }
  HEARTH_ASSIGN_OR_RETURN(const AxesAsked asked,
                          ParseAxes("axis", TextOf(info, text, "axis")));
  HEARTH_ASSIGN_OR_RETURN(std::vector<int> axes,
                          ResolveAxes(info, asked, layout));
  HEARTH_ASSIGN_OR_RETURN(
      const bool keepdims,
      ParseBool("keepdims", TextOf(info, text, "keepdims")));
  std::int64_t elements = 1;
  for (const int axis : axes) {
    elements *= layout.shape[static_cast<std::size_t>(axis)];
  }
  // NumPy's median of nothing is NaN; its quantile is an error.
  if (elements == 0 && info.name != "median") {
    return Error(Reason::kBadParameter,
                 absl::StrCat("run ", info.name, ": an array of shape ",
                              ToString(layout.shape),
                              " has no elements along those axes; give one "
                              "that has"));
  }
  return MakeQuantilePlan(layout, {.operation = info.name,
                                   .axes = std::move(axes),
                                   .keepdims = keepdims,
                                   .rule = std::move(rule),
                                   .list = list});
}

const ParameterSpec kAxis = {"axis", "axes", "none",
                             "axes to take them along; none: all elements"};
const ParameterSpec kKeepdims = {"keepdims", "bool", "false",
                                 "keep those axes, of length 1"};

class Quantile : public Operation {
 public:
  const OperationInfo& info() const override {
    static const OperationInfo info{
        "quantile",
        {{"q", "floats", "0.5", "in [0, 1]; a list makes a leading axis"},
         kAxis,
         kKeepdims,
         {"method", "text", "linear",
          "np.quantile's: linear, lower, higher, nearest, midpoint, hazen, "
          "..."}},
        "Exact quantiles, as np.quantile; own type for floats, else float64; "
        "NaN where there is one."};
    return info;
  }

  absl::Status CheckUsage(
      const std::map<std::string, std::string>& text) const override {
    HEARTH_RETURN_IF_ERROR(CheckParameters(info(), text));
    return RuleOf(text).status();
  }

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_ASSIGN_OR_RETURN(QuantileRule rule, RuleOf(arguments.text));
    HEARTH_ASSIGN_OR_RETURN(std::unique_ptr<Plan> plan,
                            PlanFor(info(), std::move(rule),
                                    IsList(TextOf(info(), arguments.text, "q")),
                                    layout, arguments.text));
    return plan;
  }

 private:
  absl::StatusOr<QuantileRule> RuleOf(const ParameterText& text) const {
    HEARTH_ASSIGN_OR_RETURN(std::vector<double> q,
                            ParseNumbers("q", TextOf(info(), text, "q")));
    return QuantileRule::Make(std::move(q), TextOf(info(), text, "method"));
  }

  static bool IsList(absl::string_view q) {
    return absl::StrContains(q, ',') || absl::StrContains(q, '[');
  }
};

class Median : public Operation {
 public:
  const OperationInfo& info() const override {
    static const OperationInfo info{
        "median",
        {kAxis, kKeepdims},
        "The middle element, or the mean of the middle two; own type for "
        "floats, else float64; NaN where there is one."};
    return info;
  }

  absl::Status CheckUsage(
      const std::map<std::string, std::string>& text) const override {
    return CheckParameters(info(), text);
  }

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    return PlanFor(info(), QuantileRule::Median(), false, layout,
                   arguments.text);
  }
};

}  // namespace

const Operation& MedianOperation() {
  static const Median median;
  return median;
}

const Operation& QuantileOperation() {
  static const Quantile quantile;
  return quantile;
}

}  // namespace hearth
