#include "hearth/compute/dense/centre.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace hearth {
namespace {

// Sums of a column side by side: enough for every width of register, and for
// chains of additions that stay short.
constexpr std::int64_t kLanes = 32;

// high + low takes in x: what the addition rounds away goes to low (Knuth).
void TwoSum(double& high, double& low, double x) {
  const double sum = high + x;
  const double taken = sum - high;
  low += (high - (sum - taken)) + (x - taken);
  high = sum;
}

// Of real numbers; those of complex ones come one after the other.
struct RealMeans {
  double* high;
  double* low;
};

// `rows` rows of `width` numbers, `from_stride` and `width` apart.
void CentreRows(const double* from, std::int64_t rows, std::int64_t width,
                std::int64_t from_stride, double* to, const RealMeans& means) {
  // About the first row, so that long sums of large numbers lose nothing.
  std::copy_n(from, width, means.high);
  std::fill_n(means.low, width, 0.0);
  double* __restrict low = means.low;
  const double* __restrict high = means.high;
  for (std::int64_t i = 1; i < rows; ++i) {
    const double* row = from + i * from_stride;
    for (std::int64_t j = 0; j < width; ++j) low[j] += row[j] - high[j];
  }
  const auto count = static_cast<double>(rows);
  for (std::int64_t j = 0; j < width; ++j) {
    const double beside = means.low[j] / count;
    means.low[j] = 0;
    TwoSum(means.high[j], means.low[j], beside);
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    const double* row = from + i * from_stride;
    double* out = to + i * width;
    for (std::int64_t j = 0; j < width; ++j) {
      out[j] = (row[j] - high[j]) - low[j];
    }
  }
}

// One column of `rows` numbers, each kParts doubles.
template <int kParts>
void CentreColumn(const double* from, std::int64_t rows, double* to,
                  double* high, double* low) {
  constexpr std::int64_t kNow = kLanes / kParts * kParts;
  double first[kNow];
  double lanes[kNow] = {};
  for (std::int64_t k = 0; k < kNow; ++k) first[k] = from[k % kParts];
  const std::int64_t count = rows * kParts;
  std::int64_t i = 0;
  for (; i + kNow <= count; i += kNow) {
    for (std::int64_t k = 0; k < kNow; ++k) lanes[k] += from[i + k] - first[k];
  }
  for (std::int64_t k = 0; i + k < count; ++k) {
    lanes[k] += from[i + k] - first[k];
  }
  for (std::int64_t half = kNow / 2; half >= kParts; half /= 2) {
    for (std::int64_t k = 0; k < half; ++k) lanes[k] += lanes[k + half];
  }
  double lows[kNow];
  for (int part = 0; part < kParts; ++part) {
    high[part] = first[part];
    low[part] = 0;
    TwoSum(high[part], low[part], lanes[part] / static_cast<double>(rows));
  }
  for (std::int64_t k = 0; k < kNow; ++k) {
    first[k] = high[k % kParts];
    lows[k] = low[k % kParts];
  }
  i = 0;
  for (; i + kNow <= count; i += kNow) {
    for (std::int64_t k = 0; k < kNow; ++k) {
      to[i + k] = (from[i + k] - first[k]) - lows[k];
    }
  }
  for (std::int64_t k = 0; i + k < count; ++k) {
    to[i + k] = (from[i + k] - first[k]) - lows[k];
  }
}

// The difference of two means of high + low, in one number.
double Difference(double high, double low, double high_taken,
                  double low_taken) {
  double difference = high;
  double rest = low - low_taken;
  TwoSum(difference, rest, -high_taken);
  return difference + rest;
}

}  // namespace

template <class T>
void Centre(const RowPanel& group, std::int64_t to_stride, T* to,
            const Means<T>& means) {
  constexpr int kParts = sizeof(T) / sizeof(double);
  const auto numbers = [](auto* of) {
    return reinterpret_cast<
        std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(of)>>,
                           const double*, double*>>(of);
  };
  if (!group.by_columns) {
    const BlasPanel<T> from = ForBlas(group, to);
    CentreRows(numbers(from.data), group.rows, group.columns * kParts,
               from.stride * kParts, numbers(to),
               {numbers(means.high), numbers(means.low)});
    return;
  }
  for (std::int64_t j = 0; j < group.columns; ++j) {
    T* const column = to + j * to_stride;
    const BlasPanel<T> from = ForBlas(ColumnsOf(group, j, 1), column);
    CentreColumn<kParts>(numbers(from.data), group.rows, numbers(column),
                         numbers(means.high + j), numbers(means.low + j));
  }
}

template <class T>
void JoinMeans(const Means<const T>& right, std::int64_t right_rows,
               std::int64_t left_rows, std::int64_t columns,
               const Means<T>& left, T* w, std::int64_t w_stride) {
  constexpr int kParts = sizeof(T) / sizeof(double);
  const auto rows = static_cast<double>(left_rows + right_rows);
  const double share = static_cast<double>(right_rows) / rows;
  const double weight = std::sqrt(static_cast<double>(left_rows) * share);
  for (std::int64_t j = 0; j < columns; ++j) {
    const auto* high = reinterpret_cast<const double*>(right.high + j);
    const auto* low = reinterpret_cast<const double*>(right.low + j);
    auto* left_high = reinterpret_cast<double*>(left.high + j);
    auto* left_low = reinterpret_cast<double*>(left.low + j);
    auto* out = reinterpret_cast<double*>(w + j * w_stride);
    for (int part = 0; part < kParts; ++part) {
      if (left_rows == 0) {
        left_high[part] = high[part];
        left_low[part] = low[part];
        out[part] = 0;
        continue;
      }
      const double apart =
          Difference(high[part], low[part], left_high[part], left_low[part]);
      out[part] = apart * weight;
      TwoSum(left_high[part], left_low[part], apart * share);
    }
  }
}

template void Centre<double>(const RowPanel&, std::int64_t, double*,
                             const Means<double>&);
template void Centre<std::complex<double>>(const RowPanel&, std::int64_t,
                                           std::complex<double>*,
                                           const Means<std::complex<double>>&);
template void JoinMeans<double>(const Means<const double>&, std::int64_t,
                                std::int64_t, std::int64_t,
                                const Means<double>&, double*, std::int64_t);
template void JoinMeans<std::complex<double>>(
    const Means<const std::complex<double>>&, std::int64_t, std::int64_t,
    std::int64_t, const Means<std::complex<double>>&, std::complex<double>*,
    std::int64_t);

}  // namespace hearth
