// cov and corrcoef: how the columns of a matrix vary together.
#include <algorithm>
#include <cmath>
#include <complex>
#include <memory>
#include <utility>
#include <vector>

#include "hearth/base/status.h"
#include "hearth/compute/dense/comoments.h"
#include "hearth/compute/dense/square_plan.h"
#include "hearth/compute/operation.h"
#include "hearth/compute/operations/dense.h"
#include "hearth/compute/parameters.h"

namespace hearth {
namespace {

enum class Kind { kCovariance, kCorrelation };

// NumPy computes in float64 at least, and stays there; bfloat16 is ours.
ElementType ResultTypeOf(ElementType type) {
  if (IsComplex(type)) return ElementType::kComplex128;
  return type == ElementType::kBfloat16 ? ElementType::kFloat32
                                        : ElementType::kFloat64;
}

double RealOf(double x) { return x; }
double RealOf(std::complex<double> x) { return x.real(); }
double Conjugate(double x) { return x; }
std::complex<double> Conjugate(std::complex<double> x) { return std::conj(x); }

// Products that rounding carried past 1; NaN stays.
double Clipped(double x) { return x > 1 ? 1 : x < -1 ? -1 : x; }
std::complex<double> Clipped(std::complex<double> x) {
  return {Clipped(x.real()), Clipped(x.imag())};
}

// Sums of products of deviations become covariances. With no degree of freedom
// left they are 0 / 0 or x / 0, as in NumPy.
template <class T>
void MakeCovariances(std::int64_t columns, double freedom, T* at) {
  for (std::int64_t i = 0; i < columns * columns; ++i) {
    // What was summed up is conj(x_i) x_j; NumPy's is x_i conj(x_j).
    at[i] = Conjugate(at[i]) / freedom;
  }
  for (std::int64_t i = 0; i < columns; ++i) {
    T& variance = at[i * columns + i];
    variance = RealOf(variance);
  }
}

// Covariances become correlations: NaN of a column that does not vary.
template <class T>
void MakeCorrelations(std::int64_t columns, T* at) {
  std::vector<double> deviations(static_cast<std::size_t>(columns));
  for (std::int64_t i = 0; i < columns; ++i) {
    deviations[static_cast<std::size_t>(i)] =
        std::sqrt(RealOf(at[i * columns + i]));
  }
  for (std::int64_t i = 0; i < columns; ++i) {
    const double mine = deviations[static_cast<std::size_t>(i)];
    T& self = at[i * columns + i];
    self = mine > 0 && std::isfinite(mine) ? T(1) : self / mine / mine;
    for (std::int64_t j = i + 1; j < columns; ++j) {
      const T value =
          at[i * columns + j] / mine / deviations[static_cast<std::size_t>(j)];
      at[i * columns + j] = Clipped(value);
      at[j * columns + i] = Conjugate(at[i * columns + j]);
    }
  }
}

class CovPlan : public SquarePlan<Comoments> {
 public:
  CovPlan(const MatrixLayout& layout, Kind kind, std::int64_t ddof)
      : SquarePlan(layout, ResultTypeOf(layout.type)),
        kind_(kind),
        ddof_(ddof) {}

 private:
  absl::Status FinishSquare(Bytes& partial) const override {
    HEARTH_ASSIGN_OR_RETURN(const std::int64_t rows, sum().Finish(partial));
    const double freedom =
        std::max(static_cast<double>(rows) - static_cast<double>(ddof_), 0.0);
    if (sum().is_complex()) {
      FinishAs<std::complex<double>>(freedom, partial);
    } else {
      FinishAs<double>(freedom, partial);
    }
    return absl::OkStatus();
  }

  template <class T>
  void FinishAs(double freedom, Bytes& partial) const {
    auto* at = reinterpret_cast<T*>(partial.data());
    MakeCovariances(sum().columns(), freedom, at);
    if (kind_ == Kind::kCorrelation) MakeCorrelations(sum().columns(), at);
  }

  const Kind kind_;
  const std::int64_t ddof_;
};

class Cov : public Operation {
 public:
  Cov(OperationInfo info, Kind kind) : info_(std::move(info)), kind_(kind) {}

  const OperationInfo& info() const override { return info_; }

  absl::Status CheckUsage(
      const std::map<std::string, std::string>& text) const override {
    return CheckParameters(info_, text);
  }

  absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const override {
    HEARTH_RETURN_IF_ERROR(RequireTwoAxes(info_.name, layout));
    HEARTH_RETURN_IF_ERROR(RequireSquareFits(info_.name, layout));
    HEARTH_ASSIGN_OR_RETURN(
        const std::int64_t ddof,
        ParseInteger("ddof", TextOf(info_, arguments.text, "ddof")));
    return std::make_unique<CovPlan>(layout, kind_, ddof);
  }

 private:
  const OperationInfo info_;
  const Kind kind_;
};

}  // namespace

const Operation& CovOperation() {
  static const Cov cov(
      {"cov",
       {{"ddof", "int", "1", "taken from the rows that are divided by"}},
       "The covariances of every two columns, as np.cov(X, rowvar=False): "
       "float64, or complex128 of a complex X."},
      Kind::kCovariance);
  return cov;
}

const Operation& CorrcoefOperation() {
  static const Cov corrcoef(
      {"corrcoef",
       {{"ddof", "int", "1", "as for cov; it matters where no rows are left"}},
       "The correlations of every two columns, as np.corrcoef(X, "
       "rowvar=False); NaN of a column that does not vary."},
      Kind::kCorrelation);
  return corrcoef;
}

}  // namespace hearth
