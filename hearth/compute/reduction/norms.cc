#include "hearth/compute/reduction/norms.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/components.h"
#include "hearth/compute/reduction/sums.h"
#include "hearth/compute/reduction/transforming_reducer.h"

namespace hearth {
namespace {

using kernels::Family;

// Long doubles below: x87 arithmetic has the same bits on every processor, and
// neither squares nor powers of float64 leave its range easily. pow() of
// doubles would be another function where there is FMA.

// What a kernel of magnitudes came to, as it is; of squares, their root.
class KernelNorm final : public KernelReducer {
 public:
  KernelNorm(Family family, ElementType number, ElementType result, int parts)
      : KernelReducer({family}, number),
        family_(family),
        number_(number),
        result_(result),
        parts_(parts) {}

  ElementType result_type() const override { return result_; }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    for (std::int64_t i = 0; i < input.count; i += parts_) {
      double norm = 0;
      switch (family_) {
        case Family::kSquares:
          norm = RootOfSquares(input.from, i);
          break;
        case Family::kCountOfNonzeros:
          norm =
              static_cast<double>(ComponentAt<std::uint64_t>(input.from[0], i));
          break;
        case Family::kSumOfMagnitudes:
          norm = number_ == ElementType::kFloat64
                     ? ReadExtendedSum(input.from, i).Rounded()
                     : ComponentAt<double>(input.from[0], i);
          break;
        default:
          if (input.reduced_count == 0) break;  // the greatest of nothing is 0
          norm = number_ == ElementType::kFloat64
                     ? ComponentAt<double>(input.from[0], i)
                     : ComponentAt<float>(input.from[0], i);
      }
      StoreReal(result_, std::fabs(norm), out + i / parts_ * BytesOf(result_));
    }
    return absl::OkStatus();
  }

 private:
  double RootOfSquares(const Accumulators& from, std::int64_t i) const {
    long double squares = 0;
    for (int part = 0; part < parts_; ++part) {
      if (number_ != ElementType::kFloat64) {
        squares += ComponentAt<double>(from[0], i + part);
        continue;
      }
      const ExtendedSumValue sum = ReadExtendedSum(from, i + part, 1200);
      squares += std::ldexp(std::isfinite(sum.high)
                                ? static_cast<long double>(sum.high) + sum.low
                                : static_cast<long double>(sum.high),
                            sum.exponent);
    }
    return static_cast<double>(std::sqrt(squares));
  }

  Family family_;
  ElementType number_;
  ElementType result_;
  int parts_;
};

// Sums |x|^order of float64 numbers, one after another.
class PowerNorm final : public Reducer {
 public:
  PowerNorm(ElementType result, double order) : result_(result), order_(order) {
    const double halves = order * 2;
    if (halves > 0 && halves <= 16 && halves == std::floor(halves))
      halves_ = static_cast<int>(halves);
  }

  int components() const override { return 1; }
  int component_bytes(int) const override { return sizeof(long double); }
  ElementType result_type() const override { return result_; }

  void Clear(const Accumulators& at, std::int64_t count) const override {
    for (std::int64_t i = 0; i < count; ++i) Keep(at, i, 0);
  }

  void Reduce(const ReducerInput& input,
              const Accumulators& to) const override {
    const auto& [data, panels, rows, width, row_bytes] = input.panels;
    for (std::int64_t p = 0; p < panels; ++p) {
      for (std::int64_t j = 0; j < width; ++j) {
        long double sum = Kept(to, p * width + j);
        for (std::int64_t i = 0; i < rows; ++i) {
          sum += Power(
              std::fabs(ComponentAt<double>(data, (p * rows + i) * width + j)));
        }
        Keep(to, p * width + j, sum);
      }
    }
  }

  void Merge(const Accumulators& left, const Accumulators& right,
             std::int64_t count) const override {
    for (std::int64_t i = 0; i < count; ++i)
      Keep(left, i, Kept(left, i) + Kept(right, i));
  }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    for (std::int64_t i = 0; i < input.count; ++i) {
      const long double root =
          std::pow(Kept(input.from, i), 1 / static_cast<long double>(order_));
      StoreReal(result_, static_cast<double>(root), out + i * BytesOf(result_));
    }
    return absl::OkStatus();
  }

 private:
  static long double Kept(const Accumulators& from, std::int64_t i) {
    return ComponentAt<long double>(from[0], i);
  }
  // Padding is cleared: partials are compared as bytes.
  static void Keep(const Accumulators& to, std::int64_t i, long double value) {
    std::byte* at = to[0] + i * static_cast<std::int64_t>(sizeof(value));
    std::memset(at, 0, sizeof(value));
    std::memcpy(at, &value, 10);
  }

  long double Power(long double x) const {
    if (halves_ == 0) return std::pow(x, static_cast<long double>(order_));
    long double power = halves_ % 2 == 1 ? std::sqrt(x) : 1;
    for (int n = halves_ / 2; n > 0; n /= 2, x *= x) {
      if (n % 2 == 1) power *= x;
    }
    return power;
  }

  ElementType result_;
  double order_;
  int halves_ = 0;  // 2 * order_, where that is a small whole number
};

template <class T>
void Magnitudes(const std::byte* from, std::byte* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const long double real = ComponentAt<T>(from, 2 * i);
    const long double imaginary = ComponentAt<T>(from, 2 * i + 1);
    // An infinite part makes an infinite number, whatever the other is.
    SetComponent(to, i,
                 std::isinf(real) || std::isinf(imaginary)
                     ? HUGE_VAL
                     : static_cast<double>(
                           std::sqrt(real * real + imaginary * imaginary)));
  }
}

Family FamilyOf(double order) {
  if (order == 2) return Family::kSquares;
  if (order == 1) return Family::kSumOfMagnitudes;
  return order > 0 ? Family::kMaxMagnitude : Family::kMinMagnitude;
}

}  // namespace

ElementType NormTypeOf(ElementType type) {
  const ElementType number = RealTypeOf(type);
  return IsFloat(number) ? SumTypeOf(number) : ElementType::kFloat64;
}

std::unique_ptr<const Reducer> MakeNorm(ElementType type, double order) {
  const ElementType result = NormTypeOf(type);
  if (order == 2 && IsComplex(type)) {
    return std::make_unique<KernelNorm>(Family::kSquares, RealTypeOf(type),
                                        result, 2);
  }
  const auto of_number =
      [&](ElementType number) -> std::unique_ptr<const Reducer> {
    if (order == 0) {
      return std::make_unique<KernelNorm>(Family::kCountOfNonzeros, number,
                                          result, 1);
    }
    if (order == 1 || order == 2 || std::isinf(order)) {
      return std::make_unique<KernelNorm>(FamilyOf(order), number, result, 1);
    }
    return ConvertFirst(number, ElementType::kFloat64,
                        std::make_unique<PowerNorm>(result, order));
  };
  if (IsComplex(type)) {
    return TransformFirst(type == ElementType::kComplex64 ? &Magnitudes<float>
                                                          : &Magnitudes<double>,
                          {BytesOf(type), 8}, of_number(ElementType::kFloat64));
  }
  if (IsFloat(type)) return of_number(type);
  return ConvertFirst(type, ElementType::kFloat64,
                      of_number(ElementType::kFloat64));
}

}  // namespace hearth
