#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "hearth/base/status.h"
#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/components.h"
#include "hearth/compute/reduction/reduction_plan.h"
#include "hearth/compute/reduction/scan_operation.h"
#include "hearth/compute/reduction/sums.h"
#include "hearth/compute/reduction/transforming_reducer.h"

namespace hearth {
namespace {

using kernels::Family;

struct Kind {
  bool root;  // std
  Nans nans;
};

// Squared deviations over count - ddof. Two parts: those of the real and of the
// imaginary numbers, together.
class Variance final : public KernelReducer {
 public:
  Variance(Kind kind, ElementType number, int parts, double ddof)
      : KernelReducer({kind.nans == Nans::kSkip ? Family::kMomentsOfNumbers
                                                : Family::kMoments},
                      number),
        kind_(kind),
        result_(IsFloat(number) ? SumTypeOf(number) : ElementType::kFloat64),
        parts_(parts),
        ddof_(ddof) {}

  ElementType result_type() const override { return result_; }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    StoreRun(result_, input.count / parts_, out, [&](std::int64_t result) {
      const std::int64_t first = result * parts_;
      const auto count = ComponentAt<double>(input.from[0], first);
      double squares = 0;
      for (std::int64_t i = first; i < first + parts_; ++i) {
        // What an infinite sum left over in rounding is no number.
        const auto high = ComponentAt<double>(input.from[3], i);
        squares += std::isinf(high)
                       ? high
                       : high + ComponentAt<double>(input.from[4], i);
      }
      // As NumPy: with no degree of freedom left, 0 / 0 or x / 0; where NaN was
      // left out, NaN.
      const double freedom = std::max(count - ddof_, 0.0);
      double variance = squares / freedom;
      if (kind_.nans == Nans::kSkip && count <= ddof_)
        variance = std::numeric_limits<double>::quiet_NaN();
      return kind_.root ? std::sqrt(variance) : variance;
    });
    return absl::OkStatus();
  }

 private:
  Kind kind_;
  ElementType result_;
  int parts_;
  double ddof_;
};

class Var final : public ScanOperation {
 public:
  Var(absl::string_view name, Kind kind, absl::string_view doc)
      : ScanOperation({std::string(name),
                       {AxesParameter(),
                        KeepdimsParameter(),
                        {"ddof", "float", "0",
                         "taken from the count that is divided by"}},
                       std::string(doc)}),
        kind_(kind) {}

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_ASSIGN_OR_RETURN(const AxesAndKeepdims asked,
                            ReadAxes(info(), layout, arguments.text));
    HEARTH_ASSIGN_OR_RETURN(
        const double ddof,
        ParseNumber("ddof", TextOf(info(), arguments.text, "ddof")));
    const ElementType number = RealTypeOf(layout.type);
    const int parts = IsComplex(layout.type) ? 2 : 1;
    // An integer is never NaN: NumPy goes by var's rules then.
    const Kind kind{kind_.root, IsFloat(number) ? kind_.nans : Nans::kCount};
    std::unique_ptr<const Reducer> reducer =
        std::make_unique<Variance>(kind, number, parts, ddof);
    if (parts == 2 && kind_.nans == Nans::kSkip)
      reducer = SpreadNanFirst(number, std::move(reducer));
    return MakeReductionPlan(
        {info().name, layout, asked.axes, asked.keepdims, parts},
        std::move(reducer));
  }

 private:
  Kind kind_;
};

}  // namespace

const Operation& VarOperation() {
  static const Var& operation = *new Var(
      "var", {.root = false, .nans = Nans::kCount},
      "The variance: squared deviations from the mean over count - ddof; "
      "float64 of bool and integers, real of complex, else their own type.");
  return operation;
}

const Operation& StdOperation() {
  static const Var& operation =
      *new Var("std", {.root = true, .nans = Nans::kCount},
               "The standard deviation: the square root of var.");
  return operation;
}

const Operation& NanvarOperation() {
  static const Var& operation =
      *new Var("nanvar", {.root = false, .nans = Nans::kSkip},
               "The variance of the elements that are not NaN.");
  return operation;
}

const Operation& NanstdOperation() {
  static const Var& operation =
      *new Var("nanstd", {.root = true, .nans = Nans::kSkip},
               "The standard deviation of the elements that are not NaN.");
  return operation;
}

}  // namespace hearth
