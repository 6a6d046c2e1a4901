#include "hearth/compute/dense/gram_sum.h"

#include <complex>
#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/status.h"
#include "hearth/compute/blas.h"

namespace hearth {

ProductTriangle::ProductTriangle(const MatrixLayout& layout)
    : by_columns_(layout.order == Order::kFortran),
      columns_(layout.shape[1]),
      element_bytes_(IsComplex(layout.type) ? 16 : 8) {}

bool ProductTriangle::FitsIn(const MatrixLayout& layout) {
  const std::int64_t bytes = IsComplex(layout.type) ? 16 : 8;
  const std::int64_t columns = layout.shape[1];
  return columns == 0 || columns <= limits::kPartialBytesMax / bytes / columns;
}

absl::Status ProductTriangle::AddProducts(const BlasPanel<double>& x,
                                          std::int64_t rows,
                                          std::byte* to) const {
  HEARTH_ASSIGN_OR_RETURN(const Blas* blas, LoadBlas());
  blas->dsyrk(by_columns_ ? BlasOrder::kColumnMajor : BlasOrder::kRowMajor,
              BlasTriangle::kUpper, BlasTranspose::kTranspose,
              static_cast<int>(columns_), static_cast<int>(rows), 1.0, x.data,
              static_cast<int>(x.stride), 1.0, reinterpret_cast<double*>(to),
              static_cast<int>(columns_));
  return absl::OkStatus();
}

absl::Status ProductTriangle::AddProducts(
    const BlasPanel<std::complex<double>>& x, std::int64_t rows,
    std::byte* to) const {
  HEARTH_ASSIGN_OR_RETURN(const Blas* blas, LoadBlas());
  blas->zherk(by_columns_ ? BlasOrder::kColumnMajor : BlasOrder::kRowMajor,
              BlasTriangle::kUpper, BlasTranspose::kConjugate,
              static_cast<int>(columns_), static_cast<int>(rows), 1.0, x.data,
              static_cast<int>(x.stride), 1.0, to, static_cast<int>(columns_));
  return absl::OkStatus();
}

template <class T>
void ProductTriangle::AddRowAs(const T* x, T* to) const {
  const auto product = [](T a, T b) {  // not operator*: see products.cc
    if constexpr (std::is_same_v<T, double>) {
      return a * b;
    } else {
      return T(a.real() * b.real() + a.imag() * b.imag(),
               a.real() * b.imag() - a.imag() * b.real());
    }
  };
  for (std::int64_t i = 0; i < columns_; ++i) {
    T* const run = to + i * columns_;
    if (by_columns_) {
      for (std::int64_t j = 0; j <= i; ++j) run[j] += product(x[j], x[i]);
    } else {
      for (std::int64_t j = i; j < columns_; ++j) run[j] += product(x[i], x[j]);
    }
  }
}

void ProductTriangle::AddRow(const double* x, std::byte* to) const {
  AddRowAs(x, reinterpret_cast<double*>(to));
}

void ProductTriangle::AddRow(const std::complex<double>* x,
                             std::byte* to) const {
  AddRowAs(x, reinterpret_cast<std::complex<double>*>(to));
}

void ProductTriangle::Add(const std::byte* right, std::byte* to) const {
  // Doubles to add for each column or row: a complex number is two.
  const std::int64_t parts = element_bytes_ / 8;
  auto* sum = reinterpret_cast<double*>(to);
  for (std::int64_t i = 0; i < columns_; ++i) {
    const std::int64_t begin = (i * columns_ + (by_columns_ ? 0 : i)) * parts;
    const std::int64_t end =
        (i * columns_ + (by_columns_ ? i + 1 : columns_)) * parts;
    const std::byte* from = right + begin * 8;
    for (std::int64_t k = begin; k < end; ++k, from += 8) {
      double other;
      std::memcpy(&other, from, 8);
      sum[k] += other;
    }
  }
}

void ProductTriangle::Mirror(std::byte* at) const {
  const auto mirror = [&](auto* sum, auto conjugate) {
    for (std::int64_t i = 0; i < columns_; ++i) {
      for (std::int64_t j = i + 1; j < columns_; ++j) {
        auto& upper = sum[i * columns_ + j];
        auto& lower = sum[j * columns_ + i];
        // Column-major memory holds element (i, j) where row-major has (j, i).
        if (by_columns_) upper = lower;
        lower = conjugate(upper);
      }
    }
  };
  if (is_complex()) {
    mirror(reinterpret_cast<std::complex<double>*>(at),
           [](std::complex<double> z) { return std::conj(z); });
  } else {
    mirror(reinterpret_cast<double*>(at), [](double x) { return x; });
  }
}

template <class T>
absl::Status GramSum::AccumulateAs(const RowPanel& all, Scratch& scratch,
                                   Bytes& partial) const {
  for (std::int64_t row = 0; row < all.rows; row += panels_.panel_rows()) {
    const RowPanel part = panels_.Part(all, row);
    T* buffer = nullptr;
    if (!IsInPlace<T>(part)) {
      buffer = reinterpret_cast<T*>(scratch.Get(scratch_bytes()));
    }
    HEARTH_RETURN_IF_ERROR(triangle_.AddProducts(ForBlas(part, buffer),
                                                 part.rows, partial.data()));
  }
  return absl::OkStatus();
}

absl::Status GramSum::Accumulate(const BlockView& view, Scratch& scratch,
                                 Bytes& partial) const {
  if (static_cast<std::int64_t>(partial.size()) != partial_bytes()) {
    return Error(Reason::kInternal,
                 "add to a Gram matrix: partial of another size");
  }
  if (columns() == 0 || panels_.rows() == 0) return absl::OkStatus();
  HEARTH_ASSIGN_OR_RETURN(const RowPanel all, panels_.PanelOf(view));
  return is_complex()
             ? AccumulateAs<std::complex<double>>(all, scratch, partial)
             : AccumulateAs<double>(all, scratch, partial);
}

absl::Status GramSum::Combine(Bytes& left,
                              std::span<const std::byte> right) const {
  if (static_cast<std::int64_t>(left.size()) != partial_bytes() ||
      right.size() != left.size()) {
    return Error(
        Reason::kInternal,
        absl::StrCat("combine partial Gram matrices: sizes ", left.size(),
                     " and ", right.size(), ", expected ", partial_bytes()));
  }
  triangle_.Add(right.data(), left.data());
  return absl::OkStatus();
}

absl::Status GramSum::Finish(Bytes& partial) const {
  if (static_cast<std::int64_t>(partial.size()) != partial_bytes()) {
    return Error(Reason::kInternal,
                 "finish a Gram matrix: partial of another size");
  }
  triangle_.Mirror(partial.data());
  return absl::OkStatus();
}

}  // namespace hearth
