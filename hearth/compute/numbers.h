// Numbers of any element type, one at a time and in runs.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "hearth/matrix/element_type.h"

namespace hearth {

// float32 for complex64, float64 for complex128; any other type itself.
ElementType RealTypeOf(ElementType type);

// Writes `value` as a bool, integer or float type; rounded once, every NaN as
// the one quiet NaN of the type. A float goes to an integer as NumPy casts it:
// towards zero, and what does not fit as x86 has it.
void StoreReal(ElementType type, double value, std::byte* to);
// The low bytes of `value`, as an integer type; or != 0, as a bool.
void StoreWrapped(ElementType type, std::uint64_t value, std::byte* to);

// `count` real numbers, as NumPy's astype. Neither type is complex; neither run
// need be aligned.
void ConvertNumbers(ElementType from_type, const std::byte* from,
                    ElementType to_type, std::byte* to, std::int64_t count);

// Results are made a few at a time, then stored as one run: `value(i)`, double
// or uint64, for each i in [0, count), as StoreReal or StoreWrapped would.
template <class Value>
void StoreRun(ElementType type, std::int64_t count, std::byte* to,
              Value&& value) {
  using Wide = decltype(value(std::int64_t{0}));
  constexpr std::int64_t kRun = 256;
  std::array<Wide, kRun> run;
  for (std::int64_t begin = 0; begin < count; begin += kRun) {
    const std::int64_t now = std::min(kRun, count - begin);
    for (std::int64_t i = 0; i < now; ++i)
      run[static_cast<std::size_t>(i)] = value(begin + i);
    ConvertNumbers(std::is_same_v<Wide, double> ? ElementType::kFloat64
                                                : ElementType::kUint64,
                   reinterpret_cast<const std::byte*>(run.data()), type,
                   to + begin * BytesOf(type), now);
  }
}

// A real number as the widest type of its kind: Wide is double for floats,
// int64 for signed integers, uint64 for unsigned ones and bool.
template <class Wide>
Wide LoadNumber(ElementType type, const std::byte* from);

// Calls visit(Wide{}) with that type.
template <class Visit>
auto WithWideType(ElementType type, Visit&& visit) {
  if (IsFloat(type)) return visit(double{});
  if (IsSigned(type)) return visit(std::int64_t{});
  return visit(std::uint64_t{});
}

// The first of `count` numbers, each `stride_bytes` after the one before, that
// equals `value` (or is NaN as it is); `count` where none is. Requires a value
// that the type can hold.
template <class Wide>
std::int64_t FindNumber(ElementType type, const std::byte* from,
                        std::int64_t stride_bytes, std::int64_t count,
                        Wide value);

}  // namespace hearth
