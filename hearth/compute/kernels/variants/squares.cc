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

// A value is (high + low) * 2^(1200 * scale): 1 or -1 where elements were
// scaled by 2^-600 or 2^600.
inline constexpr double kElementScale = 0x1p-600;
inline constexpr double kTiny = 0x1p-900;  // digits may be lost below

struct Squares {
  using Element = Plain<double>;
  using Lane = double;
  static constexpr int kParts = 2;
  static constexpr int kComponents = 3;
  static constexpr int kN = kRegisterLanes<double>;
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
                                          double factor, std::int8_t scale) {
    Extended sum{0, 0, scale};
    const std::byte* at = source.data + accumulator * source.accumulator_bytes;
    for (std::int64_t i = 0; i < source.rows; ++i) {
      const double x = LoadRaw<double, 1>(at) * factor;
      TwoSum(sum.high, sum.low, x * x);
      at += source.row_bytes;
    }
    return sum;
  }

  // Requires a scale that is no less.
  static Extended Rescaled(const Extended& x, std::int8_t scale) {
    double factor = 1;
    for (int i = x.scale; i < scale; ++i) factor *= kElementScale;
    return {x.high * factor * factor, x.low * factor * factor, scale};
  }

  static Extended Plus(const Extended& a, const Extended& b) {
    if (a.high == 0) return b;
    if (b.high == 0) return a;
    std::int8_t scale = a.scale > b.scale ? a.scale : b.scale;
    if (scale == 0 && !IsFinite(a.high + b.high)) scale = 1;
    Extended sum = Rescaled(a, scale);
    const Extended term = Rescaled(b, scale);
    TwoSum(sum.high, sum.low, term.high);
    sum.low += term.low;
    return sum;
  }

  static void Commit(std::byte* const* parts, std::int64_t count,
                     const Source& source, std::byte* const* accumulators,
                     std::int64_t index) {
    std::int64_t k = 0;
    for (; k + kN <= count; k += kN) {
      auto kept = LoadLanes<Squares, kN>(accumulators, index + k);
      const auto sum = LoadLanes<Squares, kN>(parts, k);
      Merge<kN>(kept, sum);
      // 0 where a sum is as it should be, or else 1 or NaN.
      const auto odd = sum.part[0] >= kTiny ? kept.part[0] - kept.part[0]
                                            : Broadcast<double, kN>(1);
      if (AllZero<kN>(odd) && ExtendedSum<TakeAll>::template NoneScaled<kN>(
                                  accumulators[2] + index + k)) {
        StoreLanes<Squares, kN>(kept, accumulators, index + k);
      } else {
        CommitOneByOne(parts, {k, k + kN}, source, accumulators, index);
      }
    }
    CommitOneByOne(parts, {k, count}, source, accumulators, index);
  }

  struct Range {
    std::int64_t begin;
    std::int64_t end;
  };
  static void CommitOneByOne(std::byte* const* parts, Range range,
                             const Source& source,
                             std::byte* const* accumulators,
                             std::int64_t index) {
    for (std::int64_t k = range.begin; k < range.end; ++k) {
      Extended sum{LoadRaw<double, 1>(parts[0] + k * 8),
                   LoadRaw<double, 1>(parts[1] + k * 8), 0};
      if (!IsFinite(sum.high)) {
        sum = Again(source, k, kElementScale, 1);
      } else if (sum.high < kTiny) {
        sum = Again(source, k, 1 / kElementScale, -1);
      }
      StoreExtended(Plus(LoadExtended(accumulators, index + k), sum),
                    accumulators, index + k);
    }
  }

  static void MergeAll(std::byte* const* left, std::byte* const* right,
                       std::int64_t count) {
    for (std::int64_t k = 0; k < count; ++k)
      StoreExtended(Plus(LoadExtended(left, k), LoadExtended(right, k)), left,
                    k);
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
