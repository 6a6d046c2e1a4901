#include "hearth/compute/reduction/complex_product.h"

#include <algorithm>
#include <cmath>

#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/components.h"

namespace hearth {
namespace {

// (real + i imaginary) * 2^exponent.
struct Factor {
  double real;
  double imaginary;
  std::int64_t exponent;
};

// Moves the size of a factor into its exponent, once it is far from 1: two
// factors that are not can be multiplied without overflow or underflow.
void Normalize(Factor& factor) {
  const double size =
      std::max(std::fabs(factor.real), std::fabs(factor.imaginary));
  if ((size > 0x1p-200 && size < 0x1p200) || size == 0 || !std::isfinite(size))
    return;
  int exponent = 0;
  std::frexp(size, &exponent);
  factor.real = std::ldexp(factor.real, -exponent);
  factor.imaginary = std::ldexp(factor.imaginary, -exponent);
  factor.exponent += exponent;
}

void Multiply(Factor& product, Factor x) {
  Normalize(x);
  const double real = product.real * x.real - product.imaginary * x.imaginary;
  const double imaginary =
      product.real * x.imaginary + product.imaginary * x.real;
  product = {real, imaginary, product.exponent + x.exponent};
  Normalize(product);
}

class ComplexProduct final : public Reducer {
 public:
  ComplexProduct(ElementType type, ElementType result, Nans nans)
      : type_(type), result_(result), nans_(nans) {}

  int components() const override { return 3; }
  int component_bytes(int) const override { return 8; }
  ElementType result_type() const override { return result_; }

  void Clear(const Accumulators& at, std::int64_t count) const override {
    for (std::int64_t i = 0; i < count; ++i) Keep(at, i, {1, 0, 0});
  }

  void Reduce(const ReducerInput& input,
              const Accumulators& to) const override {
    const auto& [data, panels, rows, width, row_bytes] = input.panels;
    for (std::int64_t p = 0; p < panels; ++p) {
      for (std::int64_t j = 0; j < width; ++j) {
        Factor product = Kept(to, p * width + j);
        for (std::int64_t i = 0; i < rows; ++i) {
          const Factor x = At(data, (p * rows + i) * width + j);
          const bool is_nan = std::isnan(x.real) || std::isnan(x.imaginary);
          if (nans_ == Nans::kCount || !is_nan) Multiply(product, x);
        }
        Keep(to, p * width + j, product);
      }
    }
  }

  void Merge(const Accumulators& left, const Accumulators& right,
             std::int64_t count) const override {
    for (std::int64_t i = 0; i < count; ++i) {
      Factor product = Kept(left, i);
      Multiply(product, Kept(right, i));
      Keep(left, i, product);
    }
  }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    const ElementType part = RealTypeOf(result_);
    for (std::int64_t i = 0; i < input.count; ++i) {
      const Factor product = Kept(input.from, i);
      const auto exponent = static_cast<int>(
          std::clamp<std::int64_t>(product.exponent, -10000, 10000));
      StoreReal(part, std::ldexp(product.real, exponent),
                out + 2 * i * BytesOf(part));
      StoreReal(part, std::ldexp(product.imaginary, exponent),
                out + (2 * i + 1) * BytesOf(part));
    }
    return absl::OkStatus();
  }

 private:
  Factor At(const std::byte* data, std::int64_t i) const {
    if (type_ == ElementType::kComplex64) {
      return {ComponentAt<float>(data, 2 * i),
              ComponentAt<float>(data, 2 * i + 1), 0};
    }
    return {ComponentAt<double>(data, 2 * i),
            ComponentAt<double>(data, 2 * i + 1), 0};
  }
  static Factor Kept(const Accumulators& from, std::int64_t i) {
    return {ComponentAt<double>(from[0], i), ComponentAt<double>(from[1], i),
            ComponentAt<std::int64_t>(from[2], i)};
  }
  static void Keep(const Accumulators& to, std::int64_t i, const Factor& x) {
    SetComponent(to[0], i, x.real);
    SetComponent(to[1], i, x.imaginary);
    SetComponent(to[2], i, x.exponent);
  }

  ElementType type_;
  ElementType result_;
  Nans nans_;
};

}  // namespace

std::unique_ptr<const Reducer> MakeComplexProduct(ElementType type,
                                                  ElementType result,
                                                  Nans nans) {
  return std::make_unique<ComplexProduct>(type, result, nans);
}

}  // namespace hearth
