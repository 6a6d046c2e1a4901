#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "absl/status/status.h"
#include "hearth/compute/kernels/kernel.h"
#include "hearth/matrix/element_type.h"

namespace hearth {

// The components of a run of accumulators, an array each.
using Accumulators = std::array<std::byte*, kernels::kComponentsMax>;

// Elements for a reducer: see kernels::Panels for the numbering.
struct ReducerInput {
  kernels::Panels panels;
  std::int64_t first;  // storage number of panels.data within the matrix
  std::byte* scratch;  // scratch_bytes(numbers in the panels) of them
};

// What all elements came to.
struct ReducerResult {
  Accumulators from;
  std::int64_t count;
  std::int64_t reduced_count;  // elements that each accumulator has seen
};

// What a reduction does with numbers: how they accumulate, how accumulators
// join, and what is made of them. It knows nothing of axes and blocks.
//
// Kind:    immutable. Threads: every method from any thread.
class Reducer {
 public:
  virtual ~Reducer() = default;

  virtual int components() const = 0;
  virtual int component_bytes(int component) const = 0;
  virtual std::int64_t scratch_bytes(std::int64_t /*numbers*/) const {
    return 0;
  }
  // Whether rows of a panel may lie apart.
  virtual bool takes_strides() const { return false; }

  // Accumulators of no elements.
  virtual void Clear(const Accumulators& at, std::int64_t count) const = 0;
  // Joins elements, as what comes after them, to panels * width accumulators.
  virtual void Reduce(const ReducerInput& input,
                      const Accumulators& to) const = 0;
  // Joins `right`, as what comes after `left`, into `left`.
  virtual void Merge(const Accumulators& left, const Accumulators& right,
                     std::int64_t count) const = 0;

  virtual ElementType result_type() const = 0;
  // Writes the results that `input.count` accumulators make: as many, or half
  // as many where two are the parts of a complex number. `out` is aligned to 8.
  virtual absl::Status Finish(const ReducerResult& input,
                              std::byte* out) const = 0;
};

// A Reducer whose accumulating is that of one or more kernels, whose components
// follow each other.
//
// Kernels are looked up at each use: a plan outlives a change of variant, all
// of which have the same components.
class KernelReducer : public Reducer {
 public:
  // Requires that each family has a kernel for `type`.
  KernelReducer(std::initializer_list<kernels::Family> families,
                ElementType type);

  int components() const override { return components_; }
  int component_bytes(int component) const override {
    return component_bytes_[static_cast<std::size_t>(component)];
  }
  bool takes_strides() const override { return true; }
  void Clear(const Accumulators& at, std::int64_t count) const override;
  void Reduce(const ReducerInput& input, const Accumulators& to) const override;
  void Merge(const Accumulators& left, const Accumulators& right,
             std::int64_t count) const override;

 private:
  std::vector<kernels::Family> families_;
  kernels::Scalar scalar_;
  int components_ = 0;
  std::array<int, kernels::kComponentsMax> component_bytes_{};
};

}  // namespace hearth
