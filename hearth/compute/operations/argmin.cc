#include <memory>
#include <optional>

#include "hearth/base/status.h"
#include "hearth/compute/reduction/extremes.h"
#include "hearth/compute/reduction/reduction_plan.h"
#include "hearth/compute/reduction/scan_operation.h"

namespace hearth {
namespace {

class Argmin final : public ScanOperation {
 public:
  Argmin(absl::string_view name, ExtremeKind kind, absl::string_view doc)
      : ScanOperation({std::string(name),
                       {OneAxisParameter(), KeepdimsParameter()},
                       std::string(doc)}),
        kind_(kind) {}

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_ASSIGN_OR_RETURN(const AxesAndKeepdims asked,
                            ReadAxes(info(), layout, arguments.text));
    HEARTH_RETURN_IF_ERROR(CheckNotEmpty(info(), layout, asked.axes));
    HEARTH_ASSIGN_OR_RETURN(
        const AxesAsked typed,
        ParseAxes("axis", TextOf(info(), arguments.text, "axis")));
    std::optional<int> axis;
    if (typed.has_value() && !asked.axes.empty()) axis = asked.axes.front();
    const ElementIndex index(layout, axis);
    return MakeReductionPlan(
        {info().name, layout, asked.axes, asked.keepdims},
        IsComplex(layout.type)
            ? MakeComplexArgExtreme(layout.type, kind_, index)
            : MakeArgExtreme(layout.type, kind_, index));
  }

 private:
  ExtremeKind kind_;
};

}  // namespace

const Operation& ArgminOperation() {
  static const Argmin& operation =
      *new Argmin("argmin", {Extremum::kLeast, Nans::kCount},
                  "Where the least element is, as int64: the first of equals, "
                  "the first NaN before all; axis=none counts in C order.");
  return operation;
}

const Operation& ArgmaxOperation() {
  static const Argmin& operation =
      *new Argmin("argmax", {Extremum::kGreatest, Nans::kCount},
                  "Where the greatest element is, as int64: the first of "
                  "equals, the first NaN before all; axis=none counts in C "
                  "order.");
  return operation;
}

const Operation& NanargminOperation() {
  static const Argmin& operation =
      *new Argmin("nanargmin", {Extremum::kLeast, Nans::kSkip},
                  "Where the least element that is not NaN is, as int64.");
  return operation;
}

const Operation& NanargmaxOperation() {
  static const Argmin& operation =
      *new Argmin("nanargmax", {Extremum::kGreatest, Nans::kSkip},
                  "Where the greatest element that is not NaN is, as int64.");
  return operation;
}

}  // namespace hearth
