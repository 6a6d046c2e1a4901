#include "hearth/compute/dense/products.h"

#include <algorithm>
#include <complex>
#include <cstring>
#include <type_traits>

#include "hearth/compute/elements.h"
#include "hearth/compute/kernels/products.h"

namespace hearth {
namespace {

// Columns of a row that are added up before they meet the rest of it.
constexpr std::int64_t kDotColumns = 4096;
constexpr std::int64_t kTileColumns = 512;
constexpr std::int64_t kTileRows = kernels::kCombineRows;

// Rows for which it pays to convert their weights beforehand.
constexpr std::int64_t kConvertForRows = 16;

// Whose products with one another float64 holds exactly.
bool IsNarrow(ElementType type) { return IsFloat(type) && BytesOf(type) < 8; }

// As kernels see it: byte order has been seen to.
const kernels::ProductKernels* KernelsFor(NamedElementType type) {
  if (type.byte_order != ByteOrder::kNative) return nullptr;
  return kernels::FindProductKernels(static_cast<kernels::Scalar>(type.type));
}

const kernels::ProductKernels& Float64Kernels() {
  return *kernels::FindProductKernels(kernels::Scalar::kFloat64);
}

std::uint64_t Times(std::uint64_t a, std::uint64_t b) { return a * b; }

// Not operator*, which looks for infinities that NumPy does not look for.
std::complex<double> Times(std::complex<double> a, std::complex<double> b) {
  return {a.real() * b.real() - a.imag() * b.imag(),
          a.real() * b.imag() + a.imag() * b.real()};
}

// The same for the types without kernels. `x` is converted, `width` wide.
template <class A>
A Dot(const A* x, const A* weights, std::int64_t width) {
  constexpr int kLanes = 4;
  A lanes[kLanes] = {};
  std::int64_t k = 0;
  for (; k + kLanes <= width; k += kLanes) {
    for (int i = 0; i < kLanes; ++i)
      lanes[i] += Times(x[k + i], weights[k + i]);
  }
  for (int i = 0; k < width; ++k, ++i) lanes[i] += Times(x[k], weights[k]);
  return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

template <class A>
void Combine(const A* x, std::int64_t rows, std::int64_t width,
             const A* weights, A* sums) {
  A tile[kTileColumns] = {};
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t k = 0; k < width; ++k) {
      tile[k] += Times(x[i * width + k], weights[i]);
    }
  }
  for (std::int64_t k = 0; k < width; ++k) sums[k] += tile[k];
}

}  // namespace

template <class A>
std::int64_t Products<A>::scratch_bytes() {
  constexpr std::int64_t kElements =
      std::max(2 * kDotColumns, kTileRows + kTileRows * kTileColumns);
  return kElements * static_cast<std::int64_t>(sizeof(A));
}

template <class A>
void Products<A>::AddDots(const StoredRows& x, const VectorOperand& operand,
                          std::int64_t begin, std::byte* scratch, A* dots) {
  const std::int64_t bytes = BytesOf(x.type.type);
  auto* weight_buffer = reinterpret_cast<A*>(scratch);
  A* row_buffer = weight_buffer + kDotColumns;
  const kernels::ProductKernels* direct = KernelsFor(x.type);
  for (std::int64_t k = 0; k < x.width; k += kDotColumns) {
    const std::int64_t width = std::min(kDotColumns, x.width - k);
    const std::byte* from = x.data + k * bytes;
    if constexpr (std::is_same_v<A, double>) {
      const std::byte* alike = operand.InPlace(x.type.type, begin + k);
      if (direct != nullptr && alike != nullptr && x.rows < kConvertForRows) {
        direct->dot_alike({from, x.rows, x.stride * bytes, width}, alike, dots);
        continue;
      }
    }
    const std::byte* weights = operand.Read(begin + k, width, weight_buffer);
    if constexpr (std::is_same_v<A, double>) {
      if (direct != nullptr) {
        const auto dot =
            IsNarrow(operand.type()) ? direct->dot_narrow : direct->dot;
        dot({from, x.rows, x.stride * bytes, width}, weights, dots);
        continue;
      }
    }
    for (std::int64_t i = 0; i < x.rows; ++i) {
      ReadElements(x.type, from + i * x.stride * bytes, width, row_buffer);
      if constexpr (std::is_same_v<A, double>) {
        Float64Kernels().dot(
            {reinterpret_cast<const std::byte*>(row_buffer), 1, 0, width},
            weights, dots + i);
      } else {
        dots[i] += Dot(row_buffer, weight_buffer, width);
      }
    }
  }
}

template <class A>
void Products<A>::AddColumns(const StoredRows& x, const VectorOperand& operand,
                             std::int64_t begin, std::byte* scratch, A* sums) {
  const std::int64_t bytes = BytesOf(x.type.type);
  auto* weight_buffer = reinterpret_cast<A*>(scratch);
  A* tile = weight_buffer + kTileRows;
  const kernels::ProductKernels* direct = KernelsFor(x.type);
  for (std::int64_t i = 0; i < x.rows; i += kTileRows) {
    const std::int64_t rows = std::min(kTileRows, x.rows - i);
    const std::byte* weights = operand.Read(begin + i, rows, weight_buffer);
    const std::byte* from = x.data + i * x.stride * bytes;
    if constexpr (std::is_same_v<A, double>) {
      if (direct != nullptr) {
        const auto combine =
            IsNarrow(operand.type()) ? direct->combine_narrow : direct->combine;
        combine({from, rows, x.stride * bytes, x.width}, weights, sums);
        continue;
      }
    }
    for (std::int64_t k = 0; k < x.width; k += kTileColumns) {
      const std::int64_t width = std::min(kTileColumns, x.width - k);
      for (std::int64_t j = 0; j < rows; ++j) {
        ReadElements(x.type, from + (j * x.stride + k) * bytes, width,
                     tile + j * width);
      }
      if constexpr (std::is_same_v<A, double>) {
        Float64Kernels().combine(
            {reinterpret_cast<const std::byte*>(tile), rows, width * 8, width},
            weights, sums + k);
      } else {
        Combine(tile, rows, width, weight_buffer, sums + k);
      }
    }
  }
}

template struct Products<double>;
template struct Products<std::complex<double>>;
template struct Products<std::uint64_t>;

}  // namespace hearth
