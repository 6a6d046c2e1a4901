#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

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

// A Reducer whose accumulating is a kernel's.
class KernelReducer : public Reducer {
 public:
  // The kernel is looked up at each use, so that a plan outlives a change of
  // variant; every variant has the same components.
  KernelReducer(kernels::Family family, ElementType type)
      : family_(family), scalar_(static_cast<kernels::Scalar>(type)) {}

  int components() const override { return kernel().components; }
  int component_bytes(int component) const override {
    return kernel().component_bytes[component];
  }
  void Clear(const Accumulators& at, std::int64_t count) const override {
    kernel().clear(at.data(), count);
  }
  void Reduce(const ReducerInput& input,
              const Accumulators& to) const override {
    kernel().reduce(input.panels, to.data());
  }
  void Merge(const Accumulators& left, const Accumulators& right,
             std::int64_t count) const override {
    kernel().merge(left.data(), right.data(), count);
  }

 private:
  const kernels::Kernel& kernel() const {
    return *kernels::FindKernel(family_, scalar_);
  }

  kernels::Family family_;
  kernels::Scalar scalar_;
};

}  // namespace hearth
