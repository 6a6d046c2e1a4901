#include "hearth/compute/reduction/transforming_reducer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "hearth/compute/elements.h"
#include "hearth/compute/numbers.h"
#include "hearth/compute/reduction/components.h"
#include "hearth/compute/reduction/span_partial.h"

namespace hearth {
namespace {

class TransformingReducer final : public Reducer {
 public:
  TransformingReducer(Transform transform, TransformBytes bytes,
                      std::unique_ptr<const Reducer> inner)
      : transform_(std::move(transform)),
        bytes_(bytes),
        inner_(std::move(inner)) {}

  int components() const override { return inner_->components(); }
  int component_bytes(int component) const override {
    return inner_->component_bytes(component);
  }
  std::int64_t scratch_bytes(std::int64_t numbers) const override {
    return RoundedUp(numbers * bytes_.to) + inner_->scratch_bytes(numbers);
  }
  bool takes_strides() const override { return true; }
  void Clear(const Accumulators& at, std::int64_t count) const override {
    inner_->Clear(at, count);
  }
  void Reduce(const ReducerInput& input,
              const Accumulators& to) const override {
    // Some whole panels at a time, or some rows of one.
    const kernels::Panels& all = input.panels;
    const std::int64_t panel = all.rows * all.width;
    if (panel == 0) return;
    const std::int64_t panels =
        std::max<std::int64_t>(kPieceNumbers / panel, 1);
    const std::int64_t rows =
        panels > 1 ? all.rows
                   : std::max<std::int64_t>(kPieceNumbers / all.width, 16);
    for (std::int64_t p = 0; p < all.panels; p += panels) {
      for (std::int64_t i = 0; i < all.rows; i += rows) {
        ReducePiece(input, {p, std::min(panels, all.panels - p)},
                    {i, std::min(rows, all.rows - i)},
                    Advance(*inner_, to, p * all.width));
      }
    }
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
  static constexpr std::int64_t kPieceNumbers = 8192;

  struct Some {
    std::int64_t begin;
    std::int64_t count;
  };

  // Rows of several panels are all of them.
  void ReducePiece(const ReducerInput& input, Some panels, Some rows,
                   const Accumulators& to) const {
    const kernels::Panels& all = input.panels;
    const std::int64_t first =
        (panels.begin * all.rows + rows.begin) * all.width;
    const std::int64_t numbers = panels.count * rows.count * all.width;
    if (all.row_bytes == 0) {
      transform_(all.data + first * bytes_.from, input.scratch, numbers);
    } else {
      for (std::int64_t i = 0; i < rows.count; ++i) {
        transform_(all.data + (rows.begin + i) * all.row_bytes,
                   input.scratch + i * all.width * bytes_.to, all.width);
      }
    }
    inner_->Reduce(
        {.panels = {input.scratch, panels.count, rows.count, all.width},
         .first = input.first + first,
         .scratch = input.scratch + RoundedUp(numbers * bytes_.to)},
        to);
  }

  static std::int64_t RoundedUp(std::int64_t bytes) {
    return (bytes + 63) / 64 * 64;
  }

  Transform transform_;
  TransformBytes bytes_;
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
    Transform transform, TransformBytes bytes,
    std::unique_ptr<const Reducer> inner) {
  return std::make_unique<TransformingReducer>(std::move(transform), bytes,
                                               std::move(inner));
}

std::unique_ptr<const Reducer> ConvertFirst(
    ElementType from, ElementType to, std::unique_ptr<const Reducer> inner) {
  if (from == to) return inner;
  const TransformBytes bytes{BytesOf(from), BytesOf(to)};
  if (to == ElementType::kFloat64 && !IsComplex(from)) {
    return TransformFirst(
        [from](const std::byte* source, std::byte* out, std::int64_t count) {
          ReadElements({from, ByteOrder::kNative}, source, count,
                       reinterpret_cast<double*>(out));
        },
        bytes, std::move(inner));
  }
  return TransformFirst(
      [from, to](const std::byte* source, std::byte* out, std::int64_t count) {
        ConvertNumbers(from, source, to, out, count);
      },
      bytes, std::move(inner));
}

std::unique_ptr<const Reducer> SpreadNanFirst(
    ElementType number, std::unique_ptr<const Reducer> inner) {
  return TransformFirst(
      number == ElementType::kFloat32 ? &SpreadNan<float> : &SpreadNan<double>,
      {BytesOf(number), BytesOf(number)}, std::move(inner));
}

std::unique_ptr<const Reducer> ReplaceNanFirst(
    ElementType number, double value, std::unique_ptr<const Reducer> inner) {
  const std::int64_t bytes = BytesOf(number);
  return TransformFirst(
      [=](const std::byte* from, std::byte* to, std::int64_t count) {
        std::memcpy(to, from, static_cast<std::size_t>(count * bytes));
        for (std::int64_t i = 0; i < count; ++i, to += bytes) {
          if (std::isnan(LoadNumber<double>(number, to)))
            StoreReal(number, value, to);
        }
      },
      {bytes, bytes}, std::move(inner));
}

}  // namespace hearth
