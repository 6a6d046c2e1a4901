// The least and the greatest element; NaN wins over both, or is skipped.
#include "hearth/compute/kernels/variants/engine.h"
#include "hearth/compute/kernels/variants/families.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {
namespace {

// The numbers that nothing is less, or greater, than.
template <class T>
struct Bounds {
  static constexpr bool kIsSigned = static_cast<T>(-1) < static_cast<T>(0);
  static constexpr int kBits = static_cast<int>(sizeof(T)) * 8;
  static constexpr T kGreatest = static_cast<T>(
      static_cast<T>(~std::uint64_t{0} >> (64 - kBits + (kIsSigned ? 1 : 0))));
  static constexpr T kLeast =
      kIsSigned ? static_cast<T>(-kGreatest - 1) : static_cast<T>(0);
};
template <>
struct Bounds<float> {
  static constexpr float kGreatest = __builtin_inff();
  static constexpr float kLeast = -__builtin_inff();
};
template <>
struct Bounds<double> {
  static constexpr double kGreatest = __builtin_inf();
  static constexpr double kLeast = -__builtin_inf();
};

// What is done about NaN: it wins, it is passed over, or it can't be there.
enum class Nan { kWins, kSkipped, kNone };

template <class ElementType, bool kLeast, bool kMagnitude, Nan kNan>
struct Extreme : KeepsItsLanes<Extreme<ElementType, kLeast, kMagnitude, kNan>> {
  using Element = ElementType;
  using Lane = typename Element::Wide;
  static constexpr int kParts = 1;
  static constexpr Lane Nothing() {
    // Where NaN is passed over, it stands for having seen no number yet.
    if constexpr (kNan == Nan::kSkipped)
      return static_cast<Lane>(__builtin_nan(""));
    return kLeast ? Bounds<Lane>::kGreatest : Bounds<Lane>::kLeast;
  }
  static constexpr Lane kNothing[kParts] = {Nothing()};
  template <int N>
  using V = Vector<Lane, N>;

  // Of equals, -0.0 and 0.0 among them, the kept one stays; of NaNs too.
  template <int N>
  [[gnu::always_inline]] static V<N> Choose(V<N> kept, V<N> x) {
    const V<N> chosen = kLeast ? (x < kept ? x : kept) : (x > kept ? x : kept);
    // A NaN compares as neither, so `kept` was chosen above.
    if constexpr (kNan == Nan::kWins) return x != x ? x : chosen;
    if constexpr (kNan == Nan::kSkipped) return kept != kept ? x : chosen;
    return chosen;
  }

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<Extreme, N>& to,
                                         const std::byte* at) {
    V<N> x = Element::template Load<N>(at);
    if constexpr (kMagnitude) x = x < 0 ? -x : x;
    to.part[0] = Choose<N>(to.part[0], x);
  }
  template <int N>
  [[gnu::always_inline]] static void Merge(Lanes<Extreme, N>& left,
                                           const Lanes<Extreme, N>& right) {
    left.part[0] = Choose<N>(left.part[0], right.part[0]);
  }
};

template <class Element, bool kLeast>
constexpr Kernel kWhole =
    KernelOf<Extreme<Element, kLeast, false, Nan::kNone>>();

template <bool kLeast, bool kMagnitude, Nan kNan>
const Kernel* FindFloat(Scalar scalar) {
  static constexpr Kernel kFloat16 =
      KernelOf<Extreme<Float16, kLeast, kMagnitude, kNan>>();
  static constexpr Kernel kBfloat16 =
      KernelOf<Extreme<Bfloat16, kLeast, kMagnitude, kNan>>();
  static constexpr Kernel kFloat32 =
      KernelOf<Extreme<Plain<float>, kLeast, kMagnitude, kNan>>();
  static constexpr Kernel kFloat64 =
      KernelOf<Extreme<Plain<double>, kLeast, kMagnitude, kNan>>();
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

template <bool kLeast, Nan kNan>
const Kernel* FindReal(Scalar scalar) {
  switch (scalar) {
    case Scalar::kBool:
      return &kWhole<Bool, kLeast>;
    case Scalar::kInt8:
      return &kWhole<Plain<std::int8_t>, kLeast>;
    case Scalar::kInt16:
      return &kWhole<Plain<std::int16_t>, kLeast>;
    case Scalar::kInt32:
      return &kWhole<Plain<std::int32_t>, kLeast>;
    case Scalar::kInt64:
      return &kWhole<Plain<std::int64_t>, kLeast>;
    case Scalar::kUint8:
      return &kWhole<Plain<std::uint8_t>, kLeast>;
    case Scalar::kUint16:
      return &kWhole<Plain<std::uint16_t>, kLeast>;
    case Scalar::kUint32:
      return &kWhole<Plain<std::uint32_t>, kLeast>;
    case Scalar::kUint64:
      return &kWhole<Plain<std::uint64_t>, kLeast>;
    default:
      return FindFloat<kLeast, false, kNan>(scalar);
  }
}

}  // namespace

const Kernel* FindExtreme(Family family, Scalar scalar) {
  switch (family) {
    case Family::kMin:
      return FindReal<true, Nan::kWins>(scalar);
    case Family::kMax:
      return FindReal<false, Nan::kWins>(scalar);
    case Family::kMinSkippingNan:
      return FindReal<true, Nan::kSkipped>(scalar);
    case Family::kMaxSkippingNan:
      return FindReal<false, Nan::kSkipped>(scalar);
    case Family::kMinMagnitude:
      return FindFloat<true, true, Nan::kWins>(scalar);
    case Family::kMaxMagnitude:
      return FindFloat<false, true, Nan::kWins>(scalar);
    default:
      return nullptr;
  }
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
