#include "hearth/compute/numbers.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "hearth/compute/half.h"
#include "hearth/compute/kernels/selection.h"

namespace hearth {
namespace {

struct Half {};
struct Brain {};
struct Truth {};

// Calls visit(T{}) with the C++ type, or tag, of a real element type.
template <class Visit>
void WithType(ElementType type, Visit&& visit) {
  switch (type) {
    case ElementType::kBool:
      return visit(Truth{});
    case ElementType::kInt8:
      return visit(std::int8_t{});
    case ElementType::kInt16:
      return visit(std::int16_t{});
    case ElementType::kInt32:
      return visit(std::int32_t{});
    case ElementType::kInt64:
      return visit(std::int64_t{});
    case ElementType::kUint8:
      return visit(std::uint8_t{});
    case ElementType::kUint16:
      return visit(std::uint16_t{});
    case ElementType::kUint32:
      return visit(std::uint32_t{});
    case ElementType::kUint64:
      return visit(std::uint64_t{});
    case ElementType::kFloat16:
      return visit(Half{});
    case ElementType::kBfloat16:
      return visit(Brain{});
    case ElementType::kFloat32:
      return visit(float{});
    case ElementType::kFloat64:
      return visit(double{});
    case ElementType::kComplex64:
    case ElementType::kComplex128:
      return;
  }
}

template <class T>
T Get(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}
template <class T>
void Put(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

// A number in the widest type of its kind.
template <class T>
auto Load(const std::byte* from) {
  if constexpr (std::is_same_v<T, Truth>) {
    return std::uint64_t{Get<std::uint8_t>(from) != 0};
  } else if constexpr (std::is_same_v<T, Half>) {
    return DoubleFromFloat16(Get<std::uint16_t>(from));
  } else if constexpr (std::is_same_v<T, Brain>) {
    return DoubleFromBfloat16(Get<std::uint16_t>(from));
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<double>(Get<T>(from));
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<std::int64_t>(Get<T>(from));
  } else {
    return static_cast<std::uint64_t>(Get<T>(from));
  }
}

// x86's conversions, which NumPy's are: of what does not fit they give the
// least number. There is none to uint32, which is cut out of 64 bits.
std::int32_t ToInt32(double value) {
  return value > -0x1p31 - 1 && value < 0x1p31
             ? static_cast<std::int32_t>(value)
             : std::numeric_limits<std::int32_t>::min();
}

std::uint64_t ToInteger(double value) {
  if (value >= -0x1p63 && value < 0x1p63) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  }
  if (value >= 0x1p63 && value < 0x1p64)
    return static_cast<std::uint64_t>(value);
  return std::uint64_t{1} << 63;
}

template <class T, class Wide>
void Save(std::byte* to, Wide value) {
  if constexpr (std::is_same_v<T, Truth>) {
    Put(to, static_cast<std::uint8_t>(value != 0));
  } else if constexpr (std::is_same_v<T, Half>) {
    Put(to, Float16FromDouble(static_cast<double>(value)));
  } else if constexpr (std::is_same_v<T, Brain>) {
    // Never a result: NumPy has no such type.
    Put(to, std::uint16_t{0});
  } else if constexpr (std::is_floating_point_v<T>) {
    const T rounded = static_cast<T>(value);
    Put(to,
        std::isnan(rounded) ? std::numeric_limits<T>::quiet_NaN() : rounded);
  } else if constexpr (std::is_floating_point_v<Wide> && sizeof(T) <= 4 &&
                       !std::is_same_v<T, std::uint32_t>) {
    Put(to, static_cast<T>(ToInt32(value)));
  } else if constexpr (std::is_floating_point_v<Wide>) {
    Put(to, static_cast<T>(ToInteger(value)));
  } else {
    Put(to, static_cast<T>(value));
  }
}

}  // namespace

ElementType RealTypeOf(ElementType type) {
  if (type == ElementType::kComplex64) return ElementType::kFloat32;
  if (type == ElementType::kComplex128) return ElementType::kFloat64;
  return type;
}

void StoreReal(ElementType type, double value, std::byte* to) {
  WithType(type, [&](auto tag) { Save<decltype(tag)>(to, value); });
}

void StoreWrapped(ElementType type, std::uint64_t value, std::byte* to) {
  WithType(type, [&](auto tag) { Save<decltype(tag)>(to, value); });
}

void ConvertNumbers(ElementType from_type, const std::byte* from,
                    ElementType to_type, std::byte* to, std::int64_t count) {
  WithType(from_type, [&](auto from_tag) {
    WithType(to_type, [&](auto to_tag) {
      const std::int64_t from_bytes = BytesOf(from_type);
      const std::int64_t to_bytes = BytesOf(to_type);
      for (std::int64_t i = 0; i < count; ++i) {
        Save<decltype(to_tag)>(to + i * to_bytes,
                               Load<decltype(from_tag)>(from + i * from_bytes));
      }
    });
  });
}

template <class Wide>
Wide LoadNumber(ElementType type, const std::byte* from) {
  Wide value{};
  WithType(type, [&](auto tag) {
    value = static_cast<Wide>(Load<decltype(tag)>(from));
  });
  return value;
}
template double LoadNumber<double>(ElementType, const std::byte*);
template std::int64_t LoadNumber<std::int64_t>(ElementType, const std::byte*);
template std::uint64_t LoadNumber<std::uint64_t>(ElementType, const std::byte*);

template <class Wide>
std::int64_t FindNumber(ElementType type, const std::byte* from,
                        std::int64_t stride_bytes, std::int64_t count,
                        Wide value) {
  std::int64_t found = count;
  WithType(type, [&](auto tag) {
    using T = decltype(tag);
    std::int64_t i = 0;
    if constexpr (std::is_arithmetic_v<T>) {
      // NaN equals nothing, so kernels would skip it.
      if (stride_bytes == static_cast<std::int64_t>(sizeof(T)) &&
          value == value) {
        const auto wanted = static_cast<T>(value);
        i = kernels::FindSelectionKernels().skip_unequal(
            static_cast<kernels::Scalar>(type), from, count,
            reinterpret_cast<const std::byte*>(&wanted));
      }
    }
    for (; i < count; ++i) {
      const auto x = static_cast<Wide>(Load<T>(from + i * stride_bytes));
      if (x == value || (x != x && value != value)) {
        found = i;
        return;
      }
    }
  });
  return found;
}
template std::int64_t FindNumber<double>(ElementType, const std::byte*,
                                         std::int64_t, std::int64_t, double);
template std::int64_t FindNumber<std::int64_t>(ElementType, const std::byte*,
                                               std::int64_t, std::int64_t,
                                               std::int64_t);
template std::int64_t FindNumber<std::uint64_t>(ElementType, const std::byte*,
                                                std::int64_t, std::int64_t,
                                                std::uint64_t);

}  // namespace hearth
