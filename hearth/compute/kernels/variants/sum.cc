// Sums: integers wrap, small floats are summed in float64, float64 carries
// what every addition rounded away.
#include "hearth/compute/kernels/variants/families.h"
#include "hearth/compute/kernels/variants/two_sum.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {
namespace {

template <class ElementType>
struct WrappingSum : KeepsItsLanes<WrappingSum<ElementType>> {
  using Element = ElementType;
  using Lane = std::uint64_t;
  static constexpr int kParts = 1;
  static constexpr Lane kNothing[kParts] = {0};

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<WrappingSum, N>& to,
                                         const std::byte* at) {
    to.part[0] += Convert<std::uint64_t, typename Element::Wide, N>(
        Element::template Load<N>(at));
  }
  template <int N>
  [[gnu::always_inline]] static void Merge(Lanes<WrappingSum, N>& left,
                                           const Lanes<WrappingSum, N>& right) {
    left.part[0] += right.part[0];
  }
};

// -0.0 is nothing: it is the one number that changes no sum's bits.
template <class ElementType, class Take>
struct WideSum : KeepsItsLanes<WideSum<ElementType, Take>> {
  using Element = ElementType;
  using Lane = double;
  static constexpr int kParts = 1;
  static constexpr Lane kNothing[kParts] = {-0.0};

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<WideSum, N>& to,
                                         const std::byte* at) {
    to.part[0] += Take::template Of<N>(
        Convert<double, float, N>(Element::template Load<N>(at)));
  }
  template <int N>
  [[gnu::always_inline]] static void Merge(Lanes<WideSum, N>& left,
                                           const Lanes<WideSum, N>& right) {
    left.part[0] += right.part[0];
  }
};

template <class Take>
const Kernel* FindFloat(Scalar scalar) {
  static constexpr Kernel kFloat16 = KernelOf<WideSum<Float16, Take>>();
  static constexpr Kernel kBfloat16 = KernelOf<WideSum<Bfloat16, Take>>();
  static constexpr Kernel kFloat32 = KernelOf<WideSum<Plain<float>, Take>>();
  static constexpr Kernel kFloat64 = ExtendedKernelOf<ExtendedSum<Take>>();
  switch (scalar) {
    case Scalar::kFloat16:
      return &kFloat16;
    case Scalar::kBfloat16:
      return &kBfloat16;
    case Scalar::kFloat32:
      return &kFloat32;
    case Scalar::kFloat64:
      return &kFloat64;
    default:
      return nullptr;
  }
}

constexpr Kernel kBool = KernelOf<WrappingSum<Bool>>();
constexpr Kernel kInt8 = KernelOf<WrappingSum<Plain<std::int8_t>>>();
constexpr Kernel kInt16 = KernelOf<WrappingSum<Plain<std::int16_t>>>();
constexpr Kernel kInt32 = KernelOf<WrappingSum<Plain<std::int32_t>>>();
constexpr Kernel kInt64 = KernelOf<WrappingSum<Plain<std::int64_t>>>();
constexpr Kernel kUint8 = KernelOf<WrappingSum<Plain<std::uint8_t>>>();
constexpr Kernel kUint16 = KernelOf<WrappingSum<Plain<std::uint16_t>>>();
constexpr Kernel kUint32 = KernelOf<WrappingSum<Plain<std::uint32_t>>>();
constexpr Kernel kUint64 = KernelOf<WrappingSum<Plain<std::uint64_t>>>();

}  // namespace

const Kernel* FindSum(Family family, Scalar scalar) {
  if (family == Family::kSumOfNumbers) return FindFloat<TakeNumbers>(scalar);
  if (family == Family::kSumOfMagnitudes)
    return FindFloat<TakeMagnitude>(scalar);
  switch (scalar) {
    case Scalar::kBool:
      return &kBool;
    case Scalar::kInt8:
      return &kInt8;
    case Scalar::kInt16:
      return &kInt16;
    case Scalar::kInt32:
      return &kInt32;
    case Scalar::kInt64:
      return &kInt64;
    case Scalar::kUint8:
      return &kUint8;
    case Scalar::kUint16:
      return &kUint16;
    case Scalar::kUint32:
      return &kUint32;
    case Scalar::kUint64:
      return &kUint64;
    default:
      return FindFloat<TakeAll>(scalar);
  }
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
