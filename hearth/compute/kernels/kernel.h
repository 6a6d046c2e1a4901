// What a scan kernel is, and how to find one. Only types and declarations
// here: this header is compiled for three processors at once (see variant.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth::kernels {

// ElementType's numbers, without its header: dispatch.cc proves them equal.
enum class Scalar : std::uint8_t {
  kBool = 1,
  kInt8 = 2,
  kInt16 = 3,
  kInt32 = 4,
  kInt64 = 5,
  kUint8 = 6,
  kUint16 = 7,
  kUint32 = 8,
  kUint64 = 9,
  kFloat16 = 10,
  kBfloat16 = 11,
  kFloat32 = 12,
  kFloat64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
};

// What a kernel accumulates, and in which components.
enum class Family : std::uint8_t {
  // Integers, bool: u64 wrapping. float64: f64 high, low, i8 scale: a value of
  // (high + low) * 2^(64 * scale). Smaller floats: f64 sum.
  kSum,
  kSumOfNumbers,     // the same of what is not NaN; floats only
  kSumOfMagnitudes,  // the same of |x|; floats only
  kExactSum,         // integers, bool: u64 low, i64 high of a 128-bit sum
  kCountOfNonzeros,  // u64; not complex
  kCountOfNumbers,   // u64; floats only
  // The element itself (f32 for float16 and bfloat16; u8 0 or 1 for bool); not
  // complex. Skipping: NaN as long as there was no number.
  kMin,
  kMax,
  kMinSkippingNan,
  kMaxSkippingNan,
  kMinMagnitude,  // floats only
  kMaxMagnitude,
  // Integers, bool: u64 wrapping. Floats: f64 fraction in [1, 2) or special,
  // i64 exponent.
  kProduct,
  kProductOfNumbers,  // floats only
  // f64 count, mean high and low, sum of squared deviations from the mean high
  // and low.
  kMoments,
  kMomentsOfNumbers,
  // Sum of squares; floats only. As kSum has it, but 2^(1200 * scale), and a
  // scale of -1, 0 or 1.
  kSquares,
};

inline constexpr int kComponentsMax = 6;

// Contiguous elements seen as [panels][rows][width]: rows are reduced, panels
// and width are kept. Element (p, i, j) stands at data[(p * rows + i) * width +
// j], at any alignment, and goes to accumulator p * width + j.
//
// Rows of a single panel may also lie apart: row_bytes from one to the next.
struct Panels {
  const std::byte* data;
  std::int64_t panels;
  std::int64_t rows;
  std::int64_t width;
  std::int64_t row_bytes = 0;  // 0: none is left out; else panels is 1
};

// One way to accumulate elements of one type. Accumulators are arrays of
// components, one array each: accumulator k is (c[0][k], c[1][k], ...).
//
// The bits depend on the elements, the shape of the panels and the order of
// calls alone: every variant of a kernel gives the same.
struct Kernel {
  int components;
  int component_bytes[kComponentsMax];

  // Makes `count` accumulators of nothing: joining one changes no bit.
  void (*clear)(std::byte* const* accumulators, std::int64_t count);
  // Joins the panels, as what comes after them, to panels * width accumulators.
  void (*reduce)(const Panels& panels, std::byte* const* accumulators);
  // Joins `right`, as what comes after `left`, into `left`.
  void (*merge)(std::byte* const* left, std::byte* const* right,
                std::int64_t count);
};

// The processors that kernels are compiled for. kAvx2 stands for AVX2, FMA and
// F16C; kAvx512 for F, DQ, BW and VL on top.
enum class Variant : std::uint8_t { kBaseline, kAvx2, kAvx512 };

bool CanRun(Variant variant);

// This processor's best one, or the forced one.
Variant ChosenVariant();

// The kernel of this processor's best variant, or of the forced one; null where
// the family has none for the type.
const Kernel* FindKernel(Family family, Scalar scalar);

// Tests only, from one thread while no other looks for kernels. Requires
// CanRun(variant).
void ForceVariant(Variant variant);
void UnforceVariant();

}  // namespace hearth::kernels
