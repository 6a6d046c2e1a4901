#include "hearth/compute/reduction/reducer.h"

namespace hearth {

KernelReducer::KernelReducer(std::initializer_list<kernels::Family> families,
                             ElementType type)
    : families_(families), scalar_(static_cast<kernels::Scalar>(type)) {
  for (const kernels::Family family : families_) {
    const kernels::Kernel& kernel = *kernels::FindKernel(family, scalar_);
    for (int c = 0; c < kernel.components; ++c) {
      component_bytes_[static_cast<std::size_t>(components_)] =
          kernel.component_bytes[c];
      ++components_;
    }
  }
}

void KernelReducer::Clear(const Accumulators& at, std::int64_t count) const {
  std::byte* const* components = at.data();
  for (const kernels::Family family : families_) {
    const kernels::Kernel& kernel = *kernels::FindKernel(family, scalar_);
    kernel.clear(components, count);
    components += kernel.components;
  }
}

void KernelReducer::Reduce(const ReducerInput& input,
                           const Accumulators& to) const {
  std::byte* const* components = to.data();
  for (const kernels::Family family : families_) {
    const kernels::Kernel& kernel = *kernels::FindKernel(family, scalar_);
    kernel.reduce(input.panels, components);
    components += kernel.components;
  }
}

void KernelReducer::Merge(const Accumulators& left, const Accumulators& right,
                          std::int64_t count) const {
  std::byte* const* to = left.data();
  std::byte* const* from = right.data();
  for (const kernels::Family family : families_) {
    const kernels::Kernel& kernel = *kernels::FindKernel(family, scalar_);
    kernel.merge(to, from, count);
    to += kernel.components;
    from += kernel.components;
  }
}

}  // namespace hearth
