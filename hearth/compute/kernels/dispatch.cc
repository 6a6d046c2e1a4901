#include <atomic>

#include "hearth/compute/kernels/kernel.h"
#include "hearth/matrix/element_type.h"

namespace hearth::kernels {

namespace baseline {
const Kernel* Find(Family family, Scalar scalar);
}
namespace avx2 {
const Kernel* Find(Family family, Scalar scalar);
}
namespace avx512 {
const Kernel* Find(Family family, Scalar scalar);
}

static_assert(static_cast<int>(Scalar::kBool) ==
              static_cast<int>(ElementType::kBool));
static_assert(static_cast<int>(Scalar::kUint64) ==
              static_cast<int>(ElementType::kUint64));
static_assert(static_cast<int>(Scalar::kFloat64) ==
              static_cast<int>(ElementType::kFloat64));
static_assert(static_cast<int>(Scalar::kComplex128) ==
              static_cast<int>(ElementType::kComplex128));

namespace {

Variant Best() {
  for (const Variant variant : {Variant::kAvx512, Variant::kAvx2}) {
    if (CanRun(variant)) return variant;
  }
  return Variant::kBaseline;
}

// Chosen at the first look; every thread that races there chooses the same.
constexpr int kUnchosen = -1;
std::atomic<int> chosen{kUnchosen};

}  // namespace

bool CanRun(Variant variant) {
  switch (variant) {
    case Variant::kBaseline:
      return true;
    case Variant::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("f16c");
    case Variant::kAvx512:
      return CanRun(Variant::kAvx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl");
  }
  return false;
}

Variant ChosenVariant() {
  int variant = chosen.load(std::memory_order_relaxed);
  if (variant == kUnchosen) {
    variant = static_cast<int>(Best());
    chosen.store(variant, std::memory_order_relaxed);
  }
  return static_cast<Variant>(variant);
}

const Kernel* FindKernel(Family family, Scalar scalar) {
  switch (ChosenVariant()) {
    case Variant::kAvx512:
      return avx512::Find(family, scalar);
    case Variant::kAvx2:
      return avx2::Find(family, scalar);
    case Variant::kBaseline:
      break;
  }
  return baseline::Find(family, scalar);
}

void ForceVariant(Variant variant) {
  chosen.store(static_cast<int>(variant), std::memory_order_relaxed);
}

void UnforceVariant() { chosen.store(kUnchosen, std::memory_order_relaxed); }

}  // namespace hearth::kernels
