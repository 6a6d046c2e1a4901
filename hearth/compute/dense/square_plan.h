#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/base/status.h"
#include "hearth/compute/elements.h"
#include "hearth/compute/operation.h"

namespace hearth {

// A plan whose partial is a square [columns, columns] of float64 or complex128
// that BLAS writes, and whose result is one of them: gram, cov, corrcoef.
//
// `Sum` adds it up: GramSum, or what has its members.
//
// Kind: immutable. Threads: any.
template <class Sum>
class SquarePlan : public Plan {
 public:
  int leaf_blocks_log2() const override {
    return sum_.panels().leaf_blocks_log2();
  }
  std::int64_t partial_bytes_max() const override {
    return sum_.partial_bytes();
  }
  std::int64_t scratch_bytes_max() const override {
    return sum_.scratch_bytes();
  }
  bool uses_blas() const override { return true; }
  bool needs_whole_matrix() const override {
    return sum_.panels().needs_whole_matrix();
  }

  std::vector<ResultArray> DeclareResults() const override {
    return {{.name = "",
             .type = result_,
             .shape = {sum_.columns(), sum_.columns()}}};
  }

  Bytes Begin(std::span<const std::byte>) const override {
    return Bytes(static_cast<std::size_t>(sum_.partial_bytes()));
  }

  absl::Status Accumulate(const BlockView& view, std::span<const std::byte>,
                          Scratch& scratch, Bytes& partial) const override {
    return sum_.Accumulate(view, scratch, partial);
  }

  absl::Status Combine(Bytes& left,
                       std::span<const std::byte> right) const override {
    return sum_.Combine(left, right);
  }

  absl::StatusOr<FinishOutcome> Finish(Bytes partial,
                                       std::span<const std::byte>,
                                       int) const override {
    HEARTH_RETURN_IF_ERROR(FinishSquare(partial));
    const std::int64_t count = sum_.columns() * sum_.columns();
    if (sum_.is_complex()) {
      Write(reinterpret_cast<const std::complex<double>*>(partial.data()),
            count, partial);
    } else {
      Write(reinterpret_cast<const double*>(partial.data()), count, partial);
    }
    FinishOutcome outcome;
    outcome.results = DeclareResults();
    outcome.results[0].bytes = std::move(partial);
    return outcome;
  }

 protected:
  SquarePlan(const MatrixLayout& layout, ElementType result)
      : sum_(layout), result_(result) {}

  const Sum& sum() const { return sum_; }

 private:
  // The whole square, row-major, in the partial's own memory.
  virtual absl::Status FinishSquare(Bytes& partial) const = 0;

  // No element of a result is wider than one of the square.
  template <class T>
  void Write(const T* from, std::int64_t count, Bytes& partial) const {
    WriteElements(result_, from, count, partial.data());
    partial.resize(static_cast<std::size_t>(count * BytesOf(result_)));
  }

  const Sum sum_;
  const ElementType result_;
};

}  // namespace hearth
