#include "hearth/compute/kernels/selection.h"

namespace hearth::kernels {

namespace baseline {
const SelectionKernels& Selection();
}
namespace avx2 {
const SelectionKernels& Selection();
}
namespace avx512 {
const SelectionKernels& Selection();
}

const SelectionKernels& FindSelectionKernels() {
  switch (ChosenVariant()) {
    case Variant::kAvx512:
      return avx512::Selection();
    case Variant::kAvx2:
      return avx2::Selection();
    case Variant::kBaseline:
      break;
  }
  return baseline::Selection();
}

}  // namespace hearth::kernels
