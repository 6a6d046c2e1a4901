// Sums of integers that can't overflow: 128 bits, as a low and a high half.
#include "hearth/compute/kernels/variants/engine.h"
#include "hearth/compute/kernels/variants/families.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {
namespace {

// low + 2^64 high takes in such a sum.
template <int N>
[[gnu::always_inline]] inline void AddWide(Vector<std::uint64_t, N>& low,
                                           Vector<std::uint64_t, N>& high,
                                           Vector<std::uint64_t, N> low_term,
                                           Vector<std::uint64_t, N> high_term) {
  low += low_term;
  const auto one = Broadcast<std::uint64_t, N>(1);
  const auto none = Broadcast<std::uint64_t, N>(0);
  high += high_term + (low < low_term ? one : none);
}

template <class ElementType>
struct ExactSum : KeepsItsLanes<ExactSum<ElementType>> {
  using Element = ElementType;
  using Lane = std::uint64_t;
  static constexpr int kParts = 2;
  static constexpr Lane kNothing[kParts] = {0, 0};
  static constexpr bool kIsSigned = static_cast<typename Element::Wide>(-1) < 0;

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<ExactSum, N>& to,
                                         const std::byte* at) {
    const auto x = Convert<std::uint64_t, typename Element::Wide, N>(
        Element::template Load<N>(at));
    const auto none = Broadcast<std::uint64_t, N>(0);
    const auto all = Broadcast<std::uint64_t, N>(~std::uint64_t{0});
    AddWide<N>(to.part[0], to.part[1], x,
               kIsSigned ? (x >> 63 != 0 ? all : none) : none);
  }
  template <int N>
  [[gnu::always_inline]] static void Merge(Lanes<ExactSum, N>& left,
                                           const Lanes<ExactSum, N>& right) {
    AddWide<N>(left.part[0], left.part[1], right.part[0], right.part[1]);
  }
};

// Up to 32 bits: the lanes of one block fit 64, whatever its elements.
template <class ElementType>
struct NarrowExactSum {
  using Element = ElementType;
  using Lane = std::uint64_t;
  static constexpr int kParts = 1;
  static constexpr Lane kNothing[kParts] = {0};
  static constexpr bool kIsSigned = static_cast<typename Element::Wide>(-1) < 0;

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<NarrowExactSum, N>& to,
                                         const std::byte* at) {
    to.part[0] += Convert<std::uint64_t, typename Element::Wide, N>(
        Element::template Load<N>(at));
  }
  template <int N>
  [[gnu::always_inline]] static void Merge(
      Lanes<NarrowExactSum, N>& left, const Lanes<NarrowExactSum, N>& right) {
    left.part[0] += right.part[0];
  }
  static void Commit(std::byte* const* parts, std::int64_t count, const Source&,
                     std::byte* const* accumulators, std::int64_t index) {
    using Kept = ExactSum<Plain<std::int64_t>>;
    for (std::int64_t k = 0; k < count; ++k) {
      auto kept = LoadLanes<Kept, 1>(accumulators, index + k);
      const auto sum = LoadRaw<std::uint64_t, 1>(parts[0] + k * 8);
      const std::uint64_t sign =
          kIsSigned && sum >> 63 != 0 ? ~std::uint64_t{0} : 0;
      AddWide<1>(kept.part[0], kept.part[1], sum, sign);
      StoreLanes<Kept, 1>(kept, accumulators, index + k);
    }
  }
};

template <class Element>
constexpr Kernel NarrowKernelOf() {
  Kernel kernel = KernelOf<ExactSum<Plain<std::int64_t>>>();
  kernel.reduce = &ReducePanels<NarrowExactSum<Element>>;
  return kernel;
}

constexpr Kernel kBool = NarrowKernelOf<Bool>();
constexpr Kernel kInt8 = NarrowKernelOf<Plain<std::int8_t>>();
constexpr Kernel kInt16 = NarrowKernelOf<Plain<std::int16_t>>();
constexpr Kernel kInt32 = NarrowKernelOf<Plain<std::int32_t>>();
constexpr Kernel kInt64 = KernelOf<ExactSum<Plain<std::int64_t>>>();
constexpr Kernel kUint8 = NarrowKernelOf<Plain<std::uint8_t>>();
constexpr Kernel kUint16 = NarrowKernelOf<Plain<std::uint16_t>>();
constexpr Kernel kUint32 = NarrowKernelOf<Plain<std::uint32_t>>();
constexpr Kernel kUint64 = KernelOf<ExactSum<Plain<std::uint64_t>>>();

}  // namespace

const Kernel* FindExactSum(Scalar scalar) {
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
      return nullptr;
  }
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
