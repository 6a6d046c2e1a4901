#include "hearth/compute/reduction/transforming_reducer.h"

#include <cmath>
#include <utility>

#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/components.h"

namespace hearth {
namespace {

class TransformingReducer final : public Reducer {
 public:
  TransformingReducer(Transform transform, std::int64_t to_bytes,
                      std::unique_ptr<const Reducer> inner)
      : transform_(std::move(transform)),
        to_bytes_(to_bytes),
        inner_(std::move(inner)) {}

  int components() const override { return inner_->components(); }
  int component_bytes(int component) const override {
    return inner_->component_bytes(component);
  }
  std::int64_t scratch_bytes(std::int64_t numbers) const override {
    return RoundedUp(numbers * to_bytes_) + inner_->scratch_bytes(numbers);
  }
  void Clear(const Accumulators& at, std::int64_t count) const override {
    inner_->Clear(at, count);
  }
  void Reduce(const ReducerInput& input,
              const Accumulators& to) const override {
    const kernels::Panels& panels = input.panels;
    const std::int64_t numbers = panels.panels * panels.rows * panels.width;
    transform_(panels.data, input.scratch, numbers);
    ReducerInput transformed = input;
    transformed.panels.data = input.scratch;
    transformed.scratch = input.scratch + RoundedUp(numbers * to_bytes_);
    inner_->Reduce(transformed, to);
  }
  void Merge(const Accumulators& left, const Accumulators& right,
             std::int64_t count) const override {
    inner_->Merge(left, right, count);
  }
  ElementType result_type() const override { return inner_->result_type(); }
  absl::Status Finish(const ReducerResult& input,
                      std::byte* out) const override {
    return inner_->Finish(input, out);
  }

 private:
  static std::int64_t RoundedUp(std::int64_t bytes) {
    return (bytes + 63) / 64 * 64;
  }

  Transform transform_;
  std::int64_t to_bytes_;
  std::unique_ptr<const Reducer> inner_;
};

template <class T>
void SpreadNan(const std::byte* from, std::byte* to, std::int64_t count) {
  for (std::int64_t i = 0; i + 1 < count; i += 2) {
    T real = ComponentAt<T>(from, i);
    T imaginary = ComponentAt<T>(from, i + 1);
    if (std::isnan(real) || std::isnan(imaginary))
      real = imaginary = std::numeric_limits<T>::quiet_NaN();
    SetComponent(to, i, real);
    SetComponent(to, i + 1, imaginary);
  }
}

}  // namespace

std::unique_ptr<const Reducer> TransformFirst(
    Transform transform, std::int64_t to_bytes,
    std::unique_ptr<const Reducer> inner) {
  return std::make_unique<TransformingReducer>(std::move(transform), to_bytes,
                                               std::move(inner));
}

std::unique_ptr<const Reducer> ConvertFirst(
    ElementType from, ElementType to, std::unique_ptr<const Reducer> inner) {
  if (from == to) return inner;
  return TransformFirst(
      [from, to](const std::byte* source, std::byte* out, std::int64_t count) {
        ConvertNumbers(from, source, to, out, count);
      },
      BytesOf(to), std::move(inner));
}

std::unique_ptr<const Reducer> SpreadNanFirst(
    ElementType number, std::unique_ptr<const Reducer> inner) {
  return TransformFirst(
      number == ElementType::kFloat32 ? &SpreadNan<float> : &SpreadNan<double>,
      BytesOf(number), std::move(inner));
}

}  // namespace hearth
