// Sums of squares, for the Euclidean norm. Where those of float64 overflow, or
// lose digits to underflow, they are summed again of scaled elements.
#include "hearth/compute/kernels/variants/engine.h"
#include "hearth/compute/kernels/variants/families.h"
#include "hearth/compute/kernels/variants/two_sum.h"

namespace hearth::kernels::HEARTH_KERNEL_VARIANT {
namespace {

// Squares of float32 and smaller fit float64 at both ends.
template <class ElementType>
struct WideSquares : KeepsItsLanes<WideSquares<ElementType>> {
  using Element = ElementType;
  using Lane = double;
  static constexpr int kParts = 1;
  static constexpr Lane kNothing[kParts] = {0};

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<WideSquares, N>& to,
                                         const std::byte* at) {
    const auto x = Convert<double, float, N>(Element::template Load<N>(at));
    to.part[0] += x * x;
  }
  template <int N>
  [[gnu::always_inline]] static void Merge(Lanes<WideSquares, N>& left,
                                           const Lanes<WideSquares, N>& right) {
    left.part[0] += right.part[0];
  }
};

// An exponent is 0, or +-kSquareExponent where elements were scaled by half of
// it.
inline constexpr double kSquareExponent = 1200;
inline constexpr double kElementScale = 0x1p-600;
inline constexpr double kTiny = 0x1p-900;  // digits may be lost below

struct Squares {
  using Element = Plain<double>;
  using Lane = double;
  static constexpr int kParts = 2;
  static constexpr int kComponents = 3;
  static constexpr Lane kNothing[kParts] = {0, 0};

  template <int N>
  [[gnu::always_inline]] static void Add(Lanes<Squares, N>& to,
                                         const std::byte* at) {
    const auto x = Element::template Load<N>(at);
    TwoSum(to.part[0], to.part[1], x * x);
  }
  template <int N>
  [[gnu::always_inline]] static void Merge(Lanes<Squares, N>& left,
                                           const Lanes<Squares, N>& right) {
    TwoSum(left.part[0], left.part[1], right.part[0]);
    left.part[1] += right.part[1];
  }

  [[gnu::noinline]] static Extended Again(const Source& source,
                                          std::int64_t accumulator,
                                          double scale, double exponent) {
    Extended sum{0, 0, exponent};
    const std::byte* at = source.data + accumulator * source.accumulator_bytes;
    for (std::int64_t i = 0; i < source.rows; ++i) {
      const double x = LoadRaw<double, 1>(at) * scale;
      TwoSum(sum.high, sum.low, x * x);
      at += source.row_bytes;
    }
    return sum;
  }

  static Extended Rescaled(const Extended& x, double exponent) {
    double scale = 1;
    for (double e = x.exponent; e < exponent; e += kSquareExponent)
      scale *= kElementScale;
    return {x.high * scale * scale, x.low * scale * scale, exponent};
  }

  static Extended Plus(const Extended& a, const Extended& b) {
    if (a.high == 0) return b;
    if (b.high == 0) return a;
    double exponent = a.exponent > b.exponent ? a.exponent : b.exponent;
    if (exponent == 0 && !IsFinite(a.high + b.high)) exponent = kSquareExponent;
    Extended sum = Rescaled(a, exponent);
    const Extended term = Rescaled(b, exponent);
    TwoSum(sum.high, sum.low, term.high);
    sum.low += term.low;
    return sum;
  }

  static Extended Load(std::byte* const* from, std::int64_t index) {
    return {LoadRaw<double, 1>(from[0] + index * 8),
            LoadRaw<double, 1>(from[1] + index * 8),
            LoadRaw<double, 1>(from[2] + index * 8)};
  }
  static void Store(const Extended& x, std::byte* const* to,
                    std::int64_t index) {
    StoreRaw<double, 1>(to[0] + index * 8, x.high);
    StoreRaw<double, 1>(to[1] + index * 8, x.low);
    StoreRaw<double, 1>(to[2] + index * 8, x.exponent);
  }

  static void Commit(std::byte* const* parts, std::int64_t count,
                     const Source& source, std::byte* const* accumulators,
                     std::int64_t index) {
    for (std::int64_t k = 0; k < count; ++k) {
      Extended sum{LoadRaw<double, 1>(parts[0] + k * 8),
                   LoadRaw<double, 1>(parts[1] + k * 8), 0};
      if (!IsFinite(sum.high)) {
        sum = Again(source, k, kElementScale, kSquareExponent);
      } else if (sum.high < kTiny) {
        sum = Again(source, k, 1 / kElementScale, -kSquareExponent);
      }
      Store(Plus(Load(accumulators, index + k), sum), accumulators, index + k);
    }
  }

  static void MergeAll(std::byte* const* left, std::byte* const* right,
                       std::int64_t count) {
    for (std::int64_t k = 0; k < count; ++k)
      Store(Plus(Load(left, k), Load(right, k)), left, k);
  }
};

constexpr Kernel SquaresKernel() {
  Kernel kernel = ExtendedKernelOf<ExtendedSum<TakeAll>>();
  kernel.clear = &ClearExtended<Squares>;
  kernel.reduce = &ReducePanels<Squares>;
  kernel.merge = &Squares::MergeAll;
  return kernel;
}

constexpr Kernel kFloat16 = KernelOf<WideSquares<Float16>>();
constexpr Kernel kBfloat16 = KernelOf<WideSquares<Bfloat16>>();
constexpr Kernel kFloat32 = KernelOf<WideSquares<Plain<float>>>();
constexpr Kernel kFloat64 = SquaresKernel();

}  // namespace

const Kernel* FindSquares(Scalar scalar) {
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

}  // namespace hearth::kernels::HEARTH_KERNEL_VARIANT
