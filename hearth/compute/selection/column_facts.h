#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hearth/compute/kernels/kernel.h"
#include "hearth/compute/operation.h"
#include "hearth/matrix/element_type.h"

namespace hearth {

// The count, mean, squared deviations and extremes of each column's numbers, as
// scan kernels find them; NaN are left out.
//
// Kind: immutable. Threads: any. A partial is partial_bytes() bytes.
class ColumnFacts {
 public:
  ColumnFacts(ElementType type, std::int64_t columns);

  struct Facts {
    std::int64_t count;
    double mean;
    double squares;
    double least;
    double greatest;
  };

  std::int64_t partial_bytes() const { return partial_bytes_; }
  Bytes Begin() const;
  // Elements of columns [column, column + panels * width).
  void Add(const kernels::Panels& panels, std::int64_t column,
           std::byte* partial) const;
  void Combine(std::byte* left, const std::byte* right) const;
  std::vector<Facts> Finish(const std::byte* partial) const;

 private:
  static constexpr int kKernels = 3;
  struct Pointers {
    std::byte* at[kernels::kComponentsMax];
  };
  // The arrays of kernel k in a partial, from `column` on.
  Pointers ArraysOf(int k, std::byte* partial, std::int64_t column) const;

  const ElementType type_;
  const std::int64_t columns_;
  const kernels::Kernel* kernels_[kKernels];  // moments, least, greatest
  std::int64_t offsets_[kKernels][kernels::kComponentsMax] = {};
  std::int64_t partial_bytes_ = 0;
};

}  // namespace hearth
