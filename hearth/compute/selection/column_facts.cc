#include "hearth/compute/selection/column_facts.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "hearth/base/limits.h"
#include "hearth/compute/numbers.h"

namespace hearth {
namespace {

using kernels::Family;

// Elements that three kernels read one after the other, from a cache.
constexpr std::int64_t kSliceBytes = 256 * limits::kKiB;

double NumberAt(ElementType type, const std::byte* from) {
  std::byte number[8];
  ConvertNumbers(type, from, ElementType::kFloat64, number, 1);
  double value;
  std::memcpy(&value, number, 8);
  return value;
}

}  // namespace

ColumnFacts::ColumnFacts(ElementType type, std::int64_t columns)
    : type_(type), columns_(columns) {
  const auto scalar = static_cast<kernels::Scalar>(type);
  const bool skip = IsFloat(type);
  kernels_[0] =
      FindKernel(skip ? Family::kMomentsOfNumbers : Family::kMoments, scalar);
  kernels_[1] =
      FindKernel(skip ? Family::kMinSkippingNan : Family::kMin, scalar);
  kernels_[2] =
      FindKernel(skip ? Family::kMaxSkippingNan : Family::kMax, scalar);
  for (int k = 0; k < kKernels; ++k) {
    for (int c = 0; c < kernels_[k]->components; ++c) {
      offsets_[k][c] = partial_bytes_;
      // Multiples of 8, as what stands behind a partial wants.
      partial_bytes_ += (columns * kernels_[k]->component_bytes[c] + 7) / 8 * 8;
    }
  }
}

ColumnFacts::Pointers ColumnFacts::ArraysOf(int k, std::byte* partial,
                                            std::int64_t column) const {
  Pointers pointers{};
  for (int c = 0; c < kernels_[k]->components; ++c) {
    pointers.at[c] =
        partial + offsets_[k][c] + column * kernels_[k]->component_bytes[c];
  }
  return pointers;
}

Bytes ColumnFacts::Begin() const {
  Bytes partial(static_cast<std::size_t>(partial_bytes_));
  for (int k = 0; k < kKernels; ++k) {
    kernels_[k]->clear(ArraysOf(k, partial.data(), 0).at, columns_);
  }
  return partial;
}

void ColumnFacts::Add(const kernels::Panels& panels, std::int64_t column,
                      std::byte* partial) const {
  const std::int64_t row_bytes = panels.width * BytesOf(type_);
  const std::int64_t rows_at_once =
      std::max<std::int64_t>(kSliceBytes / row_bytes, 1);
  for (std::int64_t p = 0; p < panels.panels; ++p) {
    for (std::int64_t row = 0; row < panels.rows; row += rows_at_once) {
      const kernels::Panels slice{
          panels.data + (p * panels.rows + row) * row_bytes, 1,
          std::min(rows_at_once, panels.rows - row), panels.width};
      for (int k = 0; k < kKernels; ++k) {
        kernels_[k]->reduce(slice,
                            ArraysOf(k, partial, column + p * panels.width).at);
      }
    }
  }
}

void ColumnFacts::Combine(std::byte* left, const std::byte* right) const {
  for (int k = 0; k < kKernels; ++k) {
    // Kernels only read what they merge from.
    kernels_[k]->merge(ArraysOf(k, left, 0).at,
                       ArraysOf(k, const_cast<std::byte*>(right), 0).at,
                       columns_);
  }
}

std::vector<ColumnFacts::Facts> ColumnFacts::Finish(
    const std::byte* partial) const {
  // Extremes are kept as the element itself, half floats as float32.
  const bool half =
      type_ == ElementType::kFloat16 || type_ == ElementType::kBfloat16;
  const ElementType kept = half ? ElementType::kFloat32 : type_;
  std::vector<Facts> facts;
  for (std::int64_t i = 0; i < columns_; ++i) {
    const auto moment = [&](int c) {
      double value;
      std::memcpy(&value, partial + offsets_[0][c] + 8 * i, 8);
      return value;
    };
    Facts of{};
    of.count = static_cast<std::int64_t>(moment(0));
    const double none = std::numeric_limits<double>::quiet_NaN();
    of.mean = of.count == 0 ? none : moment(1) + moment(2);
    of.squares = moment(3);
    const auto extreme = [&](int k) {
      return of.count == 0
                 ? none
                 : NumberAt(kept, partial + offsets_[k][0] +
                                      i * kernels_[k]->component_bytes[0]);
    };
    of.least = extreme(1);
    of.greatest = extreme(2);
    // Beside an infinite element, deviations from the mean are NaN; the mean
    // is not, unless there are both.
    if (std::isinf(of.least) || std::isinf(of.greatest)) {
      of.mean = of.least + of.greatest;
      of.squares = none;
    }
    facts.push_back(of);
  }
  return facts;
}

}  // namespace hearth
