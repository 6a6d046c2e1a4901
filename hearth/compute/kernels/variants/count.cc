// How many elements are not 0, or not NaN.
#include "hearth/compute/kernels/variants/engine.h"
#include "hearth/compute/kernels/variants/families.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {
namespace {

struct IsNotZero {
  template <class T, int N>
  [[gnu::always_inline]] static auto Of(Vector<T, N> x) {
    return x != 0;  // a NaN is not 0
  }
};
struct IsNumber {
  template <class T, int N>
  [[gnu::always_inline]] static auto Of(Vector<T, N> x) {
    return x == x;
  }
};

// Elements of `ElementType`, which need only be as wide as the type counted.
template <class ElementType, class Which>
struct Count : KeepsItsLanes<Count<ElementType, Which>> {
  using Element = ElementType;
  using Lane = std::uint64_t;
  static constexpr int kParts = 1;
  static constexpr Lane kNothing[kParts] = {0};

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<Count, N>& to,
                                         const std::byte* at) {
    using T = typename Element::Wide;
    const auto counted =
        Which::template Of<T, N>(Element::template Load<N>(at));
    if constexpr (N == 1) {
      to.part[0] += counted ? 1U : 0U;
    } else {
      // A vector's true is -1.
      to.part[0] -= BitCast<std::uint64_t, std::int64_t, N>(
          __builtin_convertvector(counted, Vector<std::int64_t, N>));
    }
  }
  template <int N>
  [[gnu::always_inline]] static void Merge(Lanes<Count, N>& left,
                                           const Lanes<Count, N>& right) {
    left.part[0] += right.part[0];
  }
};

template <class Element>
constexpr Kernel kNonzeros = KernelOf<Count<Element, IsNotZero>>();
template <class T>
constexpr const Kernel& kNonzero = kNonzeros<Plain<T>>;
template <class Element>
constexpr Kernel kNumbers = KernelOf<Count<Element, IsNumber>>();

}  // namespace

const Kernel* FindCount(Family family, Scalar scalar) {
  const bool numbers = family == Family::kCountOfNumbers;
  switch (scalar) {
    case Scalar::kBool:
    case Scalar::kInt8:
    case Scalar::kUint8:
      return numbers ? nullptr : &kNonzero<std::uint8_t>;
    case Scalar::kInt16:
    case Scalar::kUint16:
      return numbers ? nullptr : &kNonzero<std::uint16_t>;
    case Scalar::kInt32:
    case Scalar::kUint32:
      return numbers ? nullptr : &kNonzero<std::uint32_t>;
    case Scalar::kInt64:
    case Scalar::kUint64:
      return numbers ? nullptr : &kNonzero<std::uint64_t>;
    case Scalar::kFloat16:
      return numbers ? &kNumbers<Float16> : &kNonzeros<Float16>;
    case Scalar::kBfloat16:
      return numbers ? &kNumbers<Bfloat16> : &kNonzeros<Bfloat16>;
    case Scalar::kFloat32:
      return numbers ? &kNumbers<Plain<float>> : &kNonzero<float>;
    case Scalar::kFloat64:
      return numbers ? &kNumbers<Plain<double>> : &kNonzero<double>;
    default:
      return nullptr;
  }
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
