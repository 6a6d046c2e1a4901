#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/components.h"
#include "hearth/compute/reduction/extremes.h"

namespace hearth {
namespace {

struct Complex {
  double real;
  double imaginary;

  // Ordered by parts, so that Beats() reads as for reals; NaN where a part is.
  bool is_nan() const { return std::isnan(real) || std::isnan(imaginary); }
  friend bool operator==(const Complex& a, const Complex& b) {
    return a.real == b.real && a.imaginary == b.imaginary;
  }
  friend bool operator!=(const Complex& a, const Complex& b) {
    return !(a == b);
  }
  friend bool operator<(const Complex& a, const Complex& b) {
    return a.real < b.real || (a.real == b.real && a.imaginary < b.imaginary);
  }
  friend bool operator>(const Complex& a, const Complex& b) { return b < a; }
};

// One element after another: there are too few complex extremes in the world
// for kernels of their own.
class ComplexExtreme final : public Reducer {
 public:
  ComplexExtreme(ElementType type, ExtremeKind kind,
                 std::optional<ElementIndex> index)
      : type_(type), kind_(kind), index_(std::move(index)) {}

  int components() const override { return 3; }  // parts; index or -1
  int component_bytes(int) const override { return 8; }
  ElementType result_type() const override {
    return index_.has_value() ? ElementType::kInt64 : type_;
  }

  void Clear(const Accumulators& at, std::int64_t count) const override {
    for (std::int64_t i = 0; i < count; ++i) {
      SetComponent(at[0], i, 0.0);
      SetComponent(at[1], i, 0.0);
      SetComponent<std::int64_t>(at[2], i, -1);
    }
  }

  void Reduce(const ReducerInput& input,
              const Accumulators& to) const override {
    const auto& [data, panels, rows, width, row_bytes] = input.panels;
    for (std::int64_t p = 0; p < panels; ++p) {
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < width; ++j) {
          const std::int64_t at = (p * rows + i) * width + j;
          Offer(to, p * width + j, At(data, at),
                index_.has_value() ? index_->Of(input.first + at) : 0);
        }
      }
    }
  }

  void Merge(const Accumulators& left, const Accumulators& right,
             std::int64_t count) const override {
    for (std::int64_t i = 0; i < count; ++i) {
      Offer(left, i, Kept(right, i), ComponentAt<std::int64_t>(right[2], i));
    }
  }

  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    const ElementType part = RealTypeOf(type_);
    for (std::int64_t i = 0; i < input.count; ++i) {
      const Complex kept = Kept(input.from, i);
      if (index_.has_value()) {
        if (kind_.nans == Nans::kSkip && kept.is_nan())
          return AllNanError(kind_);
        SetComponent(out, i, ComponentAt<std::int64_t>(input.from[2], i));
      } else {
        StoreReal(part, kept.real, out + 2 * i * BytesOf(part));
        StoreReal(part, kept.imaginary, out + (2 * i + 1) * BytesOf(part));
      }
    }
    return absl::OkStatus();
  }

 private:
  Complex At(const std::byte* data, std::int64_t i) const {
    if (type_ == ElementType::kComplex64) {
      return {ComponentAt<float>(data, 2 * i),
              ComponentAt<float>(data, 2 * i + 1)};
    }
    return {ComponentAt<double>(data, 2 * i),
            ComponentAt<double>(data, 2 * i + 1)};
  }

  static Complex Kept(const Accumulators& from, std::int64_t i) {
    return {ComponentAt<double>(from[0], i), ComponentAt<double>(from[1], i)};
  }

  void Offer(const Accumulators& to, std::int64_t i, const Complex& x,
             std::int64_t index) const {
    const auto kept_index = ComponentAt<std::int64_t>(to[2], i);
    if (index < 0) return;
    if (kept_index >= 0) {
      const Complex kept = Kept(to, i);
      const bool same = x == kept || (x.is_nan() && kept.is_nan());
      if (same ? index >= kept_index : !Beats(kind_, x, kept)) return;
    }
    SetComponent(to[0], i, x.real);
    SetComponent(to[1], i, x.imaginary);
    SetComponent(to[2], i, index);
  }

  ElementType type_;
  ExtremeKind kind_;
  std::optional<ElementIndex> index_;
};

}  // namespace

std::unique_ptr<const Reducer> MakeComplexExtreme(ElementType type,
                                                  ExtremeKind kind) {
  return std::make_unique<ComplexExtreme>(type, kind, std::nullopt);
}

std::unique_ptr<const Reducer> MakeComplexArgExtreme(ElementType type,
                                                     ExtremeKind kind,
                                                     ElementIndex index) {
  return std::make_unique<ComplexExtreme>(type, kind, std::move(index));
}

}  // namespace hearth
