#include "hearth/compute/elements.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "hearth/compute/half.h"

namespace hearth {
namespace {

template <int kBytes>
struct UintOf;
template <>
struct UintOf<1> {
  using Type = std::uint8_t;
};
template <>
struct UintOf<2> {
  using Type = std::uint16_t;
};
template <>
struct UintOf<4> {
  using Type = std::uint32_t;
};
template <>
struct UintOf<8> {
  using Type = std::uint64_t;
};

std::uint8_t Swapped(std::uint8_t bits) { return bits; }
std::uint16_t Swapped(std::uint16_t bits) { return __builtin_bswap16(bits); }
std::uint32_t Swapped(std::uint32_t bits) { return __builtin_bswap32(bits); }
std::uint64_t Swapped(std::uint64_t bits) { return __builtin_bswap64(bits); }

// `Stored` says how a number lies in memory, and what its value is.
template <class T>
struct Plain {
  using Bits = typename UintOf<sizeof(T)>::Type;
  static T Value(Bits bits) { return std::bit_cast<T>(bits); }
};
struct Bool {
  using Bits = std::uint8_t;
  static std::uint8_t Value(Bits bits) { return bits != 0 ? 1 : 0; }
};
struct Float16 {
  using Bits = std::uint16_t;
  static double Value(Bits bits) { return DoubleFromFloat16(bits); }
};
struct Bfloat16 {
  using Bits = std::uint16_t;
  static double Value(Bits bits) { return DoubleFromBfloat16(bits); }
};

template <class Stored, bool kSwap>
auto Load(const std::byte* from) {
  typename Stored::Bits bits;
  std::memcpy(&bits, from, sizeof(bits));
  return Stored::Value(kSwap ? Swapped(bits) : bits);
}

template <class Stored, bool kSwap, class To>
void ReadRun(const std::byte* from, std::int64_t count, To* to) {
  constexpr auto kBytes =
      static_cast<std::int64_t>(sizeof(typename Stored::Bits));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto value = Load<Stored, kSwap>(from + i * kBytes);
    if constexpr (std::is_integral_v<To>) {
      to[i] = static_cast<To>(value);
    } else {
      to[i] = static_cast<double>(value);
    }
  }
}

template <class Stored, class To>
void ReadReal(ByteOrder byte_order, const std::byte* from, std::int64_t count,
              To* to) {
  if (byte_order == ByteOrder::kForeign) {
    ReadRun<Stored, true>(from, count, to);
  } else {
    ReadRun<Stored, false>(from, count, to);
  }
}

template <class To>
void ReadRealOrInteger(NamedElementType type, const std::byte* from,
                       std::int64_t count, To* to) {
  const ByteOrder order = type.byte_order;
  switch (type.type) {
    case ElementType::kBool:
      return ReadReal<Bool>(order, from, count, to);
    case ElementType::kInt8:
      return ReadReal<Plain<std::int8_t>>(order, from, count, to);
    case ElementType::kInt16:
      return ReadReal<Plain<std::int16_t>>(order, from, count, to);
    case ElementType::kInt32:
      return ReadReal<Plain<std::int32_t>>(order, from, count, to);
    case ElementType::kInt64:
      return ReadReal<Plain<std::int64_t>>(order, from, count, to);
    case ElementType::kUint8:
      return ReadReal<Plain<std::uint8_t>>(order, from, count, to);
    case ElementType::kUint16:
      return ReadReal<Plain<std::uint16_t>>(order, from, count, to);
    case ElementType::kUint32:
      return ReadReal<Plain<std::uint32_t>>(order, from, count, to);
    case ElementType::kUint64:
      return ReadReal<Plain<std::uint64_t>>(order, from, count, to);
    default:
      break;
  }
  if constexpr (!std::is_integral_v<To>) {
    switch (type.type) {
      case ElementType::kFloat16:
        return ReadReal<Float16>(order, from, count, to);
      case ElementType::kBfloat16:
        return ReadReal<Bfloat16>(order, from, count, to);
      case ElementType::kFloat32:
        return ReadReal<Plain<float>>(order, from, count, to);
      case ElementType::kFloat64:
        return ReadReal<Plain<double>>(order, from, count, to);
      default:
        break;
    }
  }
}

template <class To>
void WriteAs(const To& value, std::int64_t i, std::byte* to) {
  std::memcpy(to + i * static_cast<std::int64_t>(sizeof(To)), &value,
              sizeof(To));
}

double Canonical(double value) {
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
}

}  // namespace

void ReadElements(NamedElementType type, const std::byte* from,
                  std::int64_t count, double* to) {
  ReadRealOrInteger(type, from, count, to);
}

void ReadElements(NamedElementType type, const std::byte* from,
                  std::int64_t count, std::uint64_t* to) {
  ReadRealOrInteger(type, from, count, to);
}

void ReadElements(NamedElementType type, const std::byte* from,
                  std::int64_t count, std::complex<double>* to) {
  // A complex number is its two parts, each in the byte order.
  double* parts = reinterpret_cast<double*>(to);
  if (type.type == ElementType::kComplex64) {
    return ReadReal<Plain<float>>(type.byte_order, from, 2 * count, parts);
  }
  if (type.type == ElementType::kComplex128) {
    return ReadReal<Plain<double>>(type.byte_order, from, 2 * count, parts);
  }
  ReadRealOrInteger(type, from, count, to);
}

void WriteElements(ElementType type, const double* from, std::int64_t count,
                   std::byte* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = Canonical(from[i]);
    if (type == ElementType::kFloat64) {
      WriteAs(value, i, to);
    } else if (type == ElementType::kFloat16) {
      WriteAs(Float16FromDouble(value), i, to);
    } else {
      WriteAs(static_cast<float>(value), i, to);
    }
  }
}

void WriteElements(ElementType type, const std::complex<double>* from,
                   std::int64_t count, std::byte* to) {
  WriteElements(type == ElementType::kComplex64 ? ElementType::kFloat32
                                                : ElementType::kFloat64,
                reinterpret_cast<const double*>(from), 2 * count, to);
}

void WriteElements(ElementType type, const std::uint64_t* from,
                   std::int64_t count, std::byte* to) {
  const std::int64_t bytes = BytesOf(type);
  for (std::int64_t i = 0; i < count; ++i) {
    if (type == ElementType::kBool) {
      WriteAs(std::uint8_t{from[i] != 0}, i, to);
    } else {
      // The low bytes of a little-endian number are the number modulo 2^bits.
      const std::uint64_t value = from[i];
      std::memcpy(to + i * bytes, &value, static_cast<std::size_t>(bytes));
    }
  }
}

ElementType ResultType(ElementType a, ElementType b) {
  const auto own = [](ElementType type) {
    return type == ElementType::kBfloat16 ? ElementType::kFloat32 : type;
  };
  a = own(a);
  b = own(b);
  if (a == b) return a;
  if (a == ElementType::kBool) return b;
  if (b == ElementType::kBool) return a;

  const std::int64_t a_bytes = BytesOf(a);
  const std::int64_t b_bytes = BytesOf(b);
  if (IsInteger(a) && IsInteger(b)) {
    if (IsSigned(a) == IsSigned(b)) return a_bytes > b_bytes ? a : b;
    const ElementType is_signed = IsSigned(a) ? a : b;
    const std::int64_t unsigned_bytes = IsSigned(a) ? b_bytes : a_bytes;
    if (BytesOf(is_signed) > unsigned_bytes) return is_signed;
    if (unsigned_bytes == 1) return ElementType::kInt16;
    if (unsigned_bytes == 2) return ElementType::kInt32;
    if (unsigned_bytes == 4) return ElementType::kInt64;
    return ElementType::kFloat64;
  }
  // The bytes of the float that holds every number of the type: half for one
  // byte, single for two, double for more.
  const auto float_bytes = [](ElementType type) -> std::int64_t {
    const std::int64_t bytes = BytesOf(type);
    if (IsComplex(type)) return bytes / 2;
    if (IsFloat(type)) return bytes;
    return std::min<std::int64_t>(2 * bytes, 8);
  };
  const std::int64_t bytes = std::max(float_bytes(a), float_bytes(b));
  if (IsComplex(a) || IsComplex(b)) {
    return bytes == 8 ? ElementType::kComplex128 : ElementType::kComplex64;
  }
  if (bytes == 2) return ElementType::kFloat16;
  return bytes == 4 ? ElementType::kFloat32 : ElementType::kFloat64;
}

Arithmetic ArithmeticOf(ElementType result) {
  if (IsComplex(result)) return Arithmetic::kComplex128;
  return IsFloat(result) ? Arithmetic::kFloat64 : Arithmetic::kUint64;
}

}  // namespace hearth
