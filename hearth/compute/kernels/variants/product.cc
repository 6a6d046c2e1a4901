// Products: integers wrap; floats are a fraction in [1, 2) and an exponent of
// its own, so that nothing overflows or underflows on the way.
#include "hearth/compute/kernels/variants/engine.h"
#include "hearth/compute/kernels/variants/families.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {
namespace {

template <class ElementType>
struct WrappingProduct : KeepsItsLanes<WrappingProduct<ElementType>> {
  using Element = ElementType;
  using Lane = std::uint64_t;
  static constexpr int kParts = 1;
  static constexpr Lane kNothing[kParts] = {1};

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<WrappingProduct, N>& to,
                                         const std::byte* at) {
    to.part[0] *= Convert<std::uint64_t, typename Element::Wide, N>(
        Element::template Load<N>(at));
  }
  template <int N>
  [[gnu::always_inline]] static void Merge(
      Lanes<WrappingProduct, N>& left, const Lanes<WrappingProduct, N>& right) {
    left.part[0] *= right.part[0];
  }
};

inline constexpr std::uint64_t kExponentField = std::uint64_t{0x7ff} << 52;
inline constexpr std::uint64_t kOne = std::uint64_t{0x3ff} << 52;

enum class Tiny { kMaybe, kNever };

// Moves the exponent of x to `exponent`. Zeros, infinities and NaN stay.
template <int N, Tiny kTiny = Tiny::kMaybe>
[[gnu::always_inline]] inline void Normalize(
    Vector<double, N>& x, Vector<std::uint64_t, N>& exponent) {
  using Bits = Vector<std::uint64_t, N>;
  // A tiny x is scaled; a tiny zero has no exponent at all.
  Bits scaled = Broadcast<std::uint64_t, N>(1023);
  if constexpr (kTiny == Tiny::kMaybe) {
    const auto tiny = (x < 0 ? -x : x) < 0x1p-1022;
    x = tiny ? x * 0x1p54 : x;
    scaled = tiny ? Broadcast<std::uint64_t, N>(54 + 1023) : scaled;
  }
  const Bits bits = BitCast<std::uint64_t, double, N>(x);
  const Bits field = bits & kExponentField;
  const auto special = (field == 0) | (field == kExponentField);
  const Bits none = Broadcast<std::uint64_t, N>(0);
  exponent += special ? none : (field >> 52) - scaled;
  x = BitCast<double, std::uint64_t, N>(
      special ? bits : ((bits & ~kExponentField) | kOne));
}

template <class ElementType, bool kSkipsNan>
struct ScaledProduct : KeepsItsLanes<ScaledProduct<ElementType, kSkipsNan>> {
  using Element = ElementType;
  using Lane = std::uint64_t;  // the bits of the fraction; the exponent
  static constexpr int kParts = 2;
  static constexpr Lane kNothing[kParts] = {kOne, 0};

  template <int N>
  [[gnu::always_inline]] static void Multiply(Lanes<ScaledProduct, N>& to,
                                              Vector<double, N> x) {
    auto product = BitCast<double, std::uint64_t, N>(to.part[0]) * x;
    Normalize<N>(product, to.part[1]);
    to.part[0] = BitCast<std::uint64_t, double, N>(product);
  }

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<ScaledProduct, N>& to,
                                         const std::byte* at) {
    auto x = Convert<double, typename Element::Wide, N>(
        Element::template Load<N>(at));
    if constexpr (kSkipsNan) x = x == x ? x : Broadcast<double, N>(1.0);
    if constexpr (sizeof(typename Element::Wide) == 8) {
      Normalize<N>(x, to.part[1]);
      Multiply<N>(to, x);
    } else {
      // Less than 2^129 and, but for 0, no less than 2^-149: the product is
      // normal whatever x is.
      auto product = BitCast<double, std::uint64_t, N>(to.part[0]) * x;
      Normalize<N, Tiny::kNever>(product, to.part[1]);
      to.part[0] = BitCast<std::uint64_t, double, N>(product);
    }
  }
  template <int N>
  [[gnu::always_inline]] static void Merge(
      Lanes<ScaledProduct, N>& left, const Lanes<ScaledProduct, N>& right) {
    left.part[1] += right.part[1];
    Multiply<N>(left, BitCast<double, std::uint64_t, N>(right.part[0]));
  }
};

template <class Element>
constexpr Kernel kWrapping = KernelOf<WrappingProduct<Element>>();
template <class Element, bool kSkipsNan>
constexpr Kernel kScaled = KernelOf<ScaledProduct<Element, kSkipsNan>>();

template <bool kSkipsNan>
const Kernel* FindFloat(Scalar scalar) {
  switch (scalar) {
    case Scalar::kFloat16:
      return &kScaled<Float16, kSkipsNan>;
    case Scalar::kBfloat16:
      return &kScaled<Bfloat16, kSkipsNan>;
    case Scalar::kFloat32:
      return &kScaled<Plain<float>, kSkipsNan>;
    case Scalar::kFloat64:
      return &kScaled<Plain<double>, kSkipsNan>;
    default:
      return nullptr;
  }
}

}  // namespace

const Kernel* FindProduct(Family family, Scalar scalar) {
  if (family == Family::kProductOfNumbers) return FindFloat<true>(scalar);
  switch (scalar) {
    case Scalar::kBool:
      return &kWrapping<Bool>;
    case Scalar::kInt8:
      return &kWrapping<Plain<std::int8_t>>;
    case Scalar::kInt16:
      return &kWrapping<Plain<std::int16_t>>;
    case Scalar::kInt32:
      return &kWrapping<Plain<std::int32_t>>;
    case Scalar::kInt64:
      return &kWrapping<Plain<std::int64_t>>;
    case Scalar::kUint8:
      return &kWrapping<Plain<std::uint8_t>>;
    case Scalar::kUint16:
      return &kWrapping<Plain<std::uint16_t>>;
    case Scalar::kUint32:
      return &kWrapping<Plain<std::uint32_t>>;
    case Scalar::kUint64:
      return &kWrapping<Plain<std::uint64_t>>;
    default:
      return FindFloat<false>(scalar);
  }
}

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
