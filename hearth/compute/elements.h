// Elements of any type, order of bytes and alignment, to and from the three
// types that products are computed in.
//
// The slow but complete way: scans have kernels of their own.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>

#include "hearth/matrix/element_type.h"

namespace hearth {

// Reads `count` elements. Floats, integers and bool become the nearest double;
// real numbers become complex ones; for std::uint64_t integers are taken modulo
// 2^64 and bool as 0 or 1. Requires: no complex type for double, no float or
// complex type for std::uint64_t.
void ReadElements(NamedElementType type, const std::byte* from,
                  std::int64_t count, double* to);
void ReadElements(NamedElementType type, const std::byte* from,
                  std::int64_t count, std::complex<double>* to);
void ReadElements(NamedElementType type, const std::byte* from,
                  std::int64_t count, std::uint64_t* to);

// Writes `count` elements of `type` in native byte order, rounded once to
// nearest even; every NaN becomes the one positive quiet NaN, so that bits
// don't tell which processor made it. `to` may be `from` where an element of
// `type` is no wider. Requires a float type; a complex type; an integer type or
// bool (whose 1 is "not zero").
void WriteElements(ElementType type, const double* from, std::int64_t count,
                   std::byte* to);
void WriteElements(ElementType type, const std::complex<double>* from,
                   std::int64_t count, std::byte* to);
void WriteElements(ElementType type, const std::uint64_t* from,
                   std::int64_t count, std::byte* to);

// NumPy 2's result_type, with bfloat16 as if it were float32.
ElementType ResultType(ElementType a, ElementType b);

// Which of the three types products of this type are computed in.
enum class Arithmetic { kUint64, kFloat64, kComplex128 };
Arithmetic ArithmeticOf(ElementType result);

}  // namespace hearth
